// Sets the colour theme before the first paint. The choice is made in src/theme.ts; keep the key
// and the two words the same there.
;(function () {
  var choice = null
  try {
    choice = localStorage.getItem('sysndd.theme')
  } catch {
    // Storage may be forbidden; the system's preference is a fine answer.
  }
  if (choice !== 'light' && choice !== 'dark') {
    choice = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  }
  document.documentElement.setAttribute('data-bs-theme', choice)
})()
