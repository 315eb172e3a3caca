"""Scans of buckets that keep versions, on two real stores."""

from test_scans import SCANS, Scans


def contents(store, bucket):
    """Of each key, newest first; and its delete markers."""
    page = store.s3.list_object_versions(Bucket=bucket)
    return ([(v["Key"], v["IsLatest"], v["ETag"]) for v in page["Versions"]],
            [(v["Key"], v["IsLatest"]) for v in page.get("DeleteMarkers", [])])


def test_histories_are_migrated_and_what_differs_in_them_is_found(
        stack, bucket_name):
    bucket = bucket_name("mig")
    main, follower = stack.main.s3, stack.follower.s3
    main.create_bucket(Bucket=bucket)
    main.put_object(Bucket=bucket, Key="null", Body=b"before")
    main.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={
        "Status": "Enabled"})
    for key in ("a", "b", "b/c", "odd ü+"):
        for n in range(3):
            main.put_object(Bucket=bucket, Key=key, Body=b"%d" % n)
    main.delete_object(Bucket=bucket, Key="b/c")
    main.put_object(Bucket=bucket, Key="null", Body=b"after")

    scan = Scans(stack, bucket)
    stack.use_worker(**SCANS)
    first = scan.wait()
    assert (first["main"], first["missing"]) == (5, 5), first
    assert contents(stack.main, bucket) == contents(stack.follower, bucket)
    clean = scan.run("check")
    assert (clean["equal"], clean["verified"]) == (5, True), (
        clean, scan.differences())

    # what is current is equal, and an older version is not there
    theirs = follower.list_object_versions(Bucket=bucket, Prefix="a")
    follower.delete_object(Bucket=bucket, Key="a",
                           VersionId=theirs["Versions"][1]["VersionId"])
    found = scan.run("check")
    assert scan.differences() == {"a": "different"}, found
    assert (found["equal"], found["verified_ms"]) == (4, 0), found
    assert scan.run("repair")["different"] == 1
    assert scan.run("check")["equal"] == 5
    assert contents(stack.main, bucket) == contents(stack.follower, bucket)
