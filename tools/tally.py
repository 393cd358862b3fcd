"""tally.py -- sums JUnit reports: prints `passed failed skipped` for the files given,
or with --failed the names of what failed, one per line."""
import sys
import xml.etree.ElementTree as tree


def has_failed(case):
    return case.find("failure") is not None or case.find("error") is not None


def tally(path):
    passed = failed = skipped = 0
    for case in tree.parse(path).iter("testcase"):
        if has_failed(case):
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def names(path):
    for case in tree.parse(path).iter("testcase"):
        if has_failed(case):
            place = case.get("classname", "").split(" / ")[-1].removeprefix("test.scenario.")
            yield f"{place} {case.get('name')}".strip()


if __name__ == "__main__" and sys.argv[1:2] == ["--failed"]:
    for path in sys.argv[2:]:
        print(*dict.fromkeys(names(path)), sep="\n")
elif __name__ == "__main__":
    print(*(sum(column) for column in zip(*(tally(path) for path in sys.argv[1:]))))
