// Unit tests make clients that never connect. The first of them loads the part on ioredis behind its caller: here, before a
// file's tests, so that none ends while it loads.
import '../../packages/core/src/redis/ioredis-driver.ts'
