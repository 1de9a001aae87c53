"""Read an inbox with the executors of a cluster: spark-submit examples/spark_submit.py INBOX... OUTPUT.

The settings of the cluster are those of spark-submit; docs/spark.md says how its executors get this package.
"""

import sys

import etl


def main(arguments: list[str]) -> int:
    """Read the inboxes into the lake; the exit code says whether that went well."""
    inboxes, output = arguments[:-1], arguments[-1:]
    if not inboxes:
        print("name one or more inboxes, then the output: spark_submit.py INBOX... OUTPUT", file=sys.stderr)
        return 2
    try:
        summary = etl.run(inboxes, *output, engine="spark")
    except etl.EtlError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{summary.reports_read} reports read, {summary.skipped} skipped, {summary.rejected} rejected")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
