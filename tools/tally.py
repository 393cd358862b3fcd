"""tally.py -- sums JUnit reports: prints `passed failed skipped` for the files given."""
import sys
import xml.etree.ElementTree as tree


def tally(path):
    passed = failed = skipped = 0
    for case in tree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*(sum(column) for column in zip(*(tally(path) for path in sys.argv[1:]))))
