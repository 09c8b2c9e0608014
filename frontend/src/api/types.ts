/** The API's shapes by their own names. */
import type { components, operations } from './schema'

type Schemas = components['schemas']

export type Account = Schemas['Account']
export type AdminJob = Schemas['AdminJob']
export type Backup = Schemas['Backup']
export type BackupPage = Schemas['BackupPage']
export type Entity = Schemas['Entity']
export type EntityList = Schemas['EntityList']
export type GeneWithEntities = Schemas['GeneWithEntities']
export type Job = Schemas['Job']
export type JobPage = Schemas['JobPage']
export type JobStatus = Schemas['JobStatus']
export type LedgerEntry = Schemas['LedgerEntry']
export type Migrations = Schemas['Migrations']
export type NewScriptToken = Schemas['Made']
export type PendingFile = Schemas['PendingFile']
export type Role = Schemas['Role']
export type ScriptToken = Schemas['ScriptToken']
export type SignUp = Schemas['SignUp']
export type SmtpStep = Schemas['SmtpStep']
export type SmtpTalk = Schemas['SmtpTalk']
export type Statistics = Schemas['Statistics']
export type User = Schemas['User']
export type UserStatus = Schemas['Status']

export type BackupSort = NonNullable<NonNullable<operations['get_admin_backups']['parameters']['query']>['sort']>
export type EntityQuery = NonNullable<operations['get_entities']['parameters']['query']>
export type Category = NonNullable<EntityQuery['category']>
export type Inheritance = NonNullable<EntityQuery['inheritance']>
export type EntitySort = NonNullable<EntityQuery['sort']>
export type SortOrder = NonNullable<EntityQuery['order']>
