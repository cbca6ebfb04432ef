// What persist_cache may call as app.persisters:<name>. Replace it by your own: (key, value, { version, signal }) => …
import { filePersister } from '@arq-ts/write-behind'

export const save_to_file = filePersister({ folder: process.env.CACHE_FOLDER ?? './cache' })
