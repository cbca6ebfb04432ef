import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

/** A file of the front end, as it is served. */
interface Asset {
  type: string
  etag: string
  /** False for the page itself, which is asked for again each time. */
  isImmutable: boolean
  bytes: Buffer
  gzip: Buffer | null
  br: Buffer | null
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
  json: 'application/json; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}
const COMPRESSED = new Set(['html', 'js', 'css', 'svg', 'json', 'txt'])
const YEAR_S = 31_536_000

/** The page that is served while the front end was not built. It has no script and needs none. */
const UNBUILT = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><base href="/"><title>arq-ts dashboard</title></head>
<body>
<h1>The dashboard's pages are not built</h1>
<p>Its API answers: <a href="api/overview">api/overview</a>, <a href="api/openapi.json">api/openapi.json</a>.</p>
<p>Build the pages in the repository of arq-ts, then start this again: <code>npm run build -w dashboard-ui</code></p>
</body>
</html>
`

/** Front ends by folder: compressing one takes tenths of a second, and an application may mount several dashboards. */
const loaded = new Map<string, Promise<Assets>>()

/**
 * The built front end, held in memory with its compressed forms. A request is looked up by its whole path and never
 * reaches the file system.
 */
export class Assets {
  readonly #files: ReadonlyMap<string, Asset>
  readonly #pages = new Map<string, Asset>()
  readonly #html: string
  /** False where the front end was not built. */
  readonly isBuilt: boolean

  private constructor(files: ReadonlyMap<string, Asset>, html: string | null) {
    this.#files = files
    this.#html = html ?? UNBUILT
    this.isBuilt = html !== null
  }

  /** Reads and compresses a folder, once in a process; one that is missing gives the page that says how to build it. */
  static load(folder: string): Promise<Assets> {
    const known = loaded.get(folder)
    if (known) return known
    const loading = Assets.#read(folder)
    loaded.set(folder, loading)
    loading.catch(() => loaded.delete(folder))
    return loading
  }

  static async #read(folder: string): Promise<Assets> {
    const files = new Map<string, Asset>()
    let html: string | null = null
    for (const file of filesIn(folder)) {
      const path = relative(folder, file).split(sep).join('/')
      const bytes = readFileSync(file)
      if (path === 'index.html') html = bytes.toString()
      // Dot files are the build's own.
      else if (!path.split('/').some((part) => part.startsWith('.'))) {
        files.set(`/${path}`, await assetOf(path, bytes, path.startsWith('assets/')))
      }
    }
    return new Assets(files, html)
  }

  /** Answers for a path below the base: a file, the page, or null where only a file could be meant, as by `/robots.txt`. */
  async answer(request: Request, path: string, basePath: string): Promise<Response | null> {
    const file = this.#files.get(path)
    if (file) return respond(request, file)
    if (path.startsWith('/assets/') || /^\/[^/]*\.[^/]*$/.test(path)) return null
    return respond(request, await this.#page(basePath))
  }

  async #page(basePath: string): Promise<Asset> {
    const known = this.#pages.get(basePath)
    if (known) return known
    const base = `${basePath}/`.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    const html = this.#html.replace(/<base href="[^"]*"\s*\/?>/, () => `<base href="${base}">`)
    const page = await assetOf('index.html', Buffer.from(html), false)
    // A dashboard has one base path; a few, where an application mounts it twice.
    if (this.#pages.size < 16) this.#pages.set(basePath, page)
    return page
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function assetOf(path: string, bytes: Buffer, isImmutable: boolean): Promise<Asset> {
  const extension = path.slice(path.lastIndexOf('.') + 1)
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  const asset = { type: TYPES[extension] ?? 'application/octet-stream', etag, isImmutable, bytes }
  if (!COMPRESSED.has(extension)) return { ...asset, gzip: null, br: null }
  const [small, smaller] = await Promise.all([
    promisify(gzip)(bytes, { level: 9 }),
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  ])
  return {
    ...asset,
    gzip: small.length < bytes.length ? small : null,
    br: smaller.length < bytes.length ? smaller : null,
  }
}

function respond(request: Request, asset: Asset): Response {
  const headers: Record<string, string> = {
    'content-type': asset.type,
    etag: asset.etag,
    vary: 'accept-encoding',
    'cache-control': asset.isImmutable ? `public, max-age=${YEAR_S}, immutable` : 'no-cache',
  }
  const known = request.headers.get('if-none-match')
  if (known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === asset.etag)) {
    return new Response(null, { status: 304, headers })
  }
  const accepted = new Set(
    (request.headers.get('accept-encoding') ?? '')
      .split(',')
      .filter((coding) => !/;\s*q=0(\.0*)?\s*$/.test(coding))
      .map((coding) => coding.split(';')[0]!.trim()),
  )
  const encoding = accepted.has('br') && asset.br ? 'br' : accepted.has('gzip') && asset.gzip ? 'gzip' : null
  const body = encoding === null ? asset.bytes : asset[encoding]!
  if (encoding !== null) headers['content-encoding'] = encoding
  headers['content-length'] = String(body.length)
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(body), { headers })
}
