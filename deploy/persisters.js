// Functions that persist_cache calls as app.persisters:<name>. Replace it by your own: (key, value, { version, signal }) => …
// CACHE_FOLDER must be the worker's to write: the image, the compose file and the systemd unit set it.
import { filePersister } from '@arq-ts/write-behind'

export const save_to_file = filePersister({ folder: process.env.CACHE_FOLDER ?? './cache' })
