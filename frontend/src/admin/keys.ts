/** Names of what the admin pages ask for. They begin alike, so that all go when somebody signs out. */
/** Jobs that the page of backups would follow. */
export const AT_WORK = ['admin', 'at-work'] as const
export const BACKUPS = ['admin', 'backups'] as const
export const JOBS = ['admin', 'jobs'] as const
export const MIGRATIONS = ['admin', 'migrations'] as const
export const USERS = ['admin', 'users'] as const
