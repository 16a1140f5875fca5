"""A connection pool for threads: Database(url)(work) runs `await work(connection)` in a transaction of its own."""

import asyncio
import threading

import asyncpg


class Database:
    def __init__(self, url, size=4):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.pool = self.wait(self.connect(url, size))

    async def connect(self, url, size):
        return await asyncpg.create_pool(url, min_size=1, max_size=size)

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def __call__(self, work):
        async def transaction():
            async with self.pool.acquire() as connection, connection.transaction():
                return await work(connection)

        return self.wait(transaction())
