"""The nginx, the Redis, the Ceph and the compilers of Debian 13.  Those of
Debian 12 have `make check`."""

import re


def test_the_whole_suite_passes_with_the_module_of_the_package(tried):
    assert "nginx/1.26" in tried and "Redis server v=8" in tried
    assert re.search(r"^prove: \d{4,} passed, 0 failed$", tried, re.M), \
        "\n".join(line for line in tried.splitlines()
                  if ".. FAILED" in line or line.startswith("    "))


def test_its_compilers_have_no_warnings_and_the_unit_tests_pass(tried):
    assert "clang: built" in tried.splitlines()
    assert re.search(r"^unit: \d\d programs$", tried, re.M)
    assert not re.search(r"^unit: .* failed$", tried, re.M), \
        re.findall(r"^\[  FAILED.*|^unit: .*", tried, re.M)


def test_it_replicates_between_its_ceph_stores(tried):
    assert re.search(r"^\d+ passed(, \d+ warnings?)? in ", tried, re.M), \
        tried[-3000:]
