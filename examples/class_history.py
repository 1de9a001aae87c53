"""A first look at the tables: balances of the senior class of each deal, month by month."""

import polars as pl

classes = pl.scan_parquet("output/classes/**/*.parquet", hive_partitioning=True)
columns = ["deal", "distribution_date", "class_id", "beginning_balance", "principal_distribution", "ending_balance"]
print(
    classes.filter(pl.col("class_key") == "A-1")
    .select(pl.col("deal").str.head(20), *columns[1:])
    .sort("deal", "distribution_date")
    .collect()
)
