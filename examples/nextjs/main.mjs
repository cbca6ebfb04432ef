// Calls the route as Next.js does: with a Request, for a Response.
import { GET, POST } from './app/api/resize/route.mjs'

const url = 'http://localhost/api/resize'
const post = (body) => POST(new Request(url, { method: 'POST', body: JSON.stringify(body) }))
const show = async (response) => console.log(response.status, await response.json())

const accepted = await post({ path: 'a.png' })
const { jobId } = await accepted.json()
console.log(accepted.status)
await show(await GET(new Request(`${url}?jobId=${jobId}`)))
await show(await post({ path: 42 }))
await globalThis.arqClient.close()
