"""Fills total_cents in rows from before the expand stage, five at a time."""

import asyncio
import sys

import asyncpg

BATCH = """
    update invoices set total_cents = total where id in (
      select id from invoices where total_cents is null and status = 'open' order by id limit 5)
"""


async def main(url):
    connection = await asyncpg.connect(url)
    while await connection.execute(BATCH) != "UPDATE 0":
        pass
    await connection.close()


asyncio.run(main(sys.argv[1]))
