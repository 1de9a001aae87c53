"""A first look at the tables: balances of the senior class of each deal, month by month."""

import polars as pl

classes = pl.scan_parquet("output/classes/**/*.parquet", hive_partitioning=True)
history = classes.filter(pl.col("class_key") == "A-1").select(
    pl.col("deal").str.head(20),
    date="distribution_date",
    beginning="beginning_balance",
    principal="principal_distribution",
    ending="ending_balance",
)
with pl.Config(tbl_width_chars=120):
    print(history.sort("deal", "date").collect())
