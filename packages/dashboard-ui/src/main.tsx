import { render } from 'preact'
import { App } from './app.tsx'
import { follow } from './router.ts'
import { listenToKeys } from './shell/keys.ts'
import { followSession, loadSession } from './state/session.ts'
import { applyTheme } from './state/settings.ts'

applyTheme()
follow()
listenToKeys()
void loadSession()
followSession()
render(<App />, document.getElementById('app')!)
