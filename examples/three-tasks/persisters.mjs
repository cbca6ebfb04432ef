// Functions that persist_cache calls as src.services.users:<name>: users as files.
import { filePersister } from '@arq-ts/write-behind'

export const save_user = filePersister({ folder: process.env.USERS_FOLDER ?? './users' })
