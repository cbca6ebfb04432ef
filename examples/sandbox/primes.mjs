// The module of a sandbox. It runs in a process of its own: an endless loop here costs the worker nothing.
export default function countPrimes(ctx, { below }) {
  ctx.log.info(`counting primes below ${below}`)
  let count = 0
  for (let n = 2; n < below; n++) {
    let isPrime = true
    for (let divisor = 2; divisor * divisor <= n && isPrime; divisor++) isPrime = n % divisor !== 0
    if (isPrime) count++
  }
  return count
}
