"""The second half of what the differential test does: listings, versions,
uploads in parts, copies, deletes, ACLs, locks, framing."""

from operations import (ALL_USERS, BUCKET, FUTURE, HEADERS, LISTED, LOCKED,
                        PART, PAST, SECOND, TAGS, TEXT, VERSIONED, VERSIONING,
                        XML, CORS, POLICY, at, etag, md5, op)


# ---- listings: LISTED has 2,500 keys

LISTINGS = {
    "": "", "of 10": "max-keys=10", "of none": "max-keys=0",
    "of -1": "max-keys=-1", "of nonsense": "max-keys=ten",
    "of 5000": "max-keys=5000", "by prefix": "prefix=p%2F1",
    "by a prefix of nobody": "prefix=nobody",
    "by delimiter": "delimiter=%2F", "by two letters": "delimiter=%2F0",
    "prefix and delimiter": "prefix=p%2F&delimiter=1&max-keys=7",
    "encoded": "encoding-type=url&prefix=odd",
    "encoded as nobody does": "encoding-type=base64",
    "with blanks as %20": "prefix=odd%20",
    "with + as %2B": "prefix=odd%2B",
    "a delimiter of UTF-8": "delimiter=%C3%BC&prefix=odd",
    "an argument twice": "prefix=p%2F1&prefix=p%2F2",
    "an argument without a value": "prefix&delimiter=",
    "not in canonical form": "prefix=%70/1&max-keys=3",
    "characters left as they are": "prefix=p/1&delimiter=/&marker=p/1:@!$'()*,",
    "in another order": "prefix=p%2F1&marker=p%2F10&delimiter=1&max-keys=5",
    "an empty argument": "&&prefix=p%2F1&",
    "small hex": "prefix=p%2f1&max-keys=2",
}
V1 = {"from a marker": "marker=p%2F1500&max-keys=5",
      "from a marker with blanks": "marker=odd%20b&max-keys=5",
      "its last page": "marker=p%2F2400",
      "from behind the end": "marker=zzzz"}
V2 = {"start-after": "start-after=p%2F1500&max-keys=5",
      "with owners": "fetch-owner=true&max-keys=2",
      "a token of nobody": "continuation-token=nonsense&max-keys=2"}


def listings():
    for name, query in {**LISTINGS, **V1}.items():
        yield op(f"list {name}", "GET", f"/{LISTED}", query)
    for name, query in {**LISTINGS, **V2}.items():
        yield op(f"list, type 2, {name}", "GET", f"/{LISTED}",
                 f"list-type=2&{query}" if query else "list-type=2")
    yield op("list type 3", "GET", f"/{LISTED}", "list-type=3")
    yield op("list with a slash at the end", "GET", f"/{LISTED}/",
             "max-keys=1")
    yield op("second page of 1000", "GET", f"/{LISTED}",
             "list-type=2&continuation-token=<<token-1>>")
    yield op("third page", "GET", f"/{LISTED}",
             "list-type=2&continuation-token=<<token-last>>")
    for name, query in LISTINGS.items():
        yield op(f"list versions {name}", "GET", f"/{LISTED}",
                 f"versions&{query}" if query else "versions")
    yield op("list, + signed as a blank", "GET", f"/{LISTED}", "prefix=odd+",
             signed_query="prefix=odd%20")
    yield op("list, + signed as a plus", "GET", f"/{LISTED}", "prefix=odd+",
             signed_query="prefix=odd%2B")
    yield op("list as another user", "GET", f"/{LISTED}", user="bob")
    yield op("unordered", "GET", f"/{LISTED}",
             "allow-unordered=true&delimiter=%2F")


# ---- versions

def versions():
    yield op("versioning on", "PUT", f"/{VERSIONED}", "versioning", XML,
             VERSIONING % "Enabled")
    yield op("versioning is on", "GET", f"/{VERSIONED}", "versioning")
    yield op("versioning, what is it", "PUT", f"/{VERSIONED}", "versioning",
             XML, VERSIONING % "Perhaps")
    for n in (1, 2, 3):
        yield op(f"put version {n}", "PUT", at("v", VERSIONED),
                 body=f"content {n}")
    yield op("get the newest", "GET", at("v", VERSIONED))
    yield op("get version 1", "GET", at("v", VERSIONED),
             "versionId=<<version-1>>")
    yield op("head version 2", "HEAD", at("v", VERSIONED),
             "versionId=<<version-2>>")
    yield op("tag version 2", "PUT", at("v", VERSIONED),
             "tagging&versionId=<<version-2>>", XML, TAGS)
    yield op("tags of version 2", "GET", at("v", VERSIONED),
             "tagging&versionId=<<version-2>>")
    yield op("acl of version 2", "GET", at("v", VERSIONED),
             "acl&versionId=<<version-2>>")
    yield op("a version of nobody", "GET", at("v", VERSIONED),
             "versionId=nobody")
    yield op("an empty version", "GET", at("v", VERSIONED), "versionId=")
    yield op("copy version 1", "PUT", at("copy", VERSIONED), headers={
        "x-amz-copy-source": f"{at('v', VERSIONED)}?versionId=<<version-1>>"})
    yield op("get the copy", "GET", at("copy", VERSIONED))
    yield op("delete, a marker is made", "DELETE", at("v", VERSIONED))
    yield op("get what has a marker", "GET", at("v", VERSIONED))
    yield op("head what has a marker", "HEAD", at("v", VERSIONED))
    yield op("delete version 2", "DELETE", at("v", VERSIONED),
             "versionId=<<version-2>>")
    yield op("delete a version that is gone", "DELETE", at("v", VERSIONED),
             "versionId=<<version-2>>")
    yield op("versions", "GET", f"/{VERSIONED}", "versions")
    yield op("versions, pages", "GET", f"/{VERSIONED}", "versions&max-keys=2")
    yield op("versions from a marker", "GET", f"/{VERSIONED}",
             "versions&key-marker=v&version-id-marker=<<version-3>>")
    yield op("versioning suspended", "PUT", f"/{VERSIONED}", "versioning",
             XML, VERSIONING % "Suspended")
    yield op("put the null version", "PUT", at("v", VERSIONED), body="null")
    yield op("get the null version", "GET", at("v", VERSIONED),
             "versionId=null")
    yield op("delete the null version", "DELETE", at("v", VERSIONED),
             "versionId=null")
    yield op("delete several versions", "POST", f"/{VERSIONED}", "delete",
             *deletion("<Object><Key>v</Key><VersionId><<version-1>>"
                       "</VersionId></Object><Object><Key>copy</Key>"
                       "</Object>"))
    yield op("versions at the end", "GET", f"/{VERSIONED}", "versions")


# ---- uploads in parts

def complete(*parts):
    return "<CompleteMultipartUpload>" + "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>"
        for n, tag in parts) + "</CompleteMultipartUpload>"


def upload(n, more=""):
    return f"{more}uploadId=<<upload-{n}>>"


def multipart():
    path, last = at("parts/three"), b"the last part"
    yield op("begin an upload", "POST", path, "uploads", HEADERS)
    yield op("begin another", "POST", at("parts/two"), "uploads")
    yield op("begin in no bucket", "POST", at("k", "diff-nothing"), "uploads")
    for n, body in ((1, PART), (2, PART), (3, last)):
        yield op(f"part {n}", "PUT", path, upload(1, f"partNumber={n}&"),
                 body=body)
    for name, query in {
            "number 0": upload(1, "partNumber=0&"),
            "number 10001": upload(1, "partNumber=10001&"),
            "no number": upload(1), "of no upload":
            "partNumber=1&uploadId=nobody"}.items():
        yield op(f"part with {name}", "PUT", path, query, body=last)
    yield op("a part with a wrong Content-MD5", "PUT", path,
             upload(1, "partNumber=4&"), {"content-md5": md5("x")}, last)
    yield op("list parts", "GET", path, upload(1))
    yield op("list parts, pages", "GET", path,
             upload(1, "max-parts=1&part-number-marker=1&"))
    yield op("list parts of nobody", "GET", path, "uploadId=nobody")
    yield op("list uploads", "GET", f"/{BUCKET}", "uploads")
    yield op("list uploads by prefix", "GET", f"/{BUCKET}",
             "uploads&prefix=parts%2Ft&delimiter=%2F&max-uploads=1")
    one, two, three = etag(PART), etag(PART), etag(last)
    for name, body in {
            "nothing": "", "no XML": "<Complete", "no parts": complete(),
            "a wrong ETag": complete((1, '"00"'), (2, two), (3, three)),
            "a wrong order": complete((2, two), (1, one), (3, three)),
            "a part that is missing": complete((1, one), (9, two))}.items():
        yield op(f"complete with {name}", "POST", path, upload(1), XML, body)
    yield op("complete", "POST", path, upload(1), XML,
             complete((1, one), (2, two), (3, three)))
    yield op("complete again", "POST", path, upload(1), XML,
             complete((1, one), (2, two), (3, three)))
    yield op("head of three parts", "HEAD", path)
    yield op("get across parts", "GET", path, headers={
        "range": f"bytes={len(PART) - 5}-{len(PART) + 4}"})
    yield op("get part 2", "GET", path, "partNumber=2", {
        "range": "bytes=0-9"})
    yield from multipart_copies(path)


def multipart_copies(source):
    path = at("parts/two")
    yield op("copy a part", "PUT", path, upload(2, "partNumber=1&"), {
        "x-amz-copy-source": source})
    yield op("copy a range", "PUT", path, upload(2, "partNumber=2&"), {
        "x-amz-copy-source": source,
        "x-amz-copy-source-range": "bytes=0-99"})
    for name, headers in {
            "a range of nonsense": {"x-amz-copy-source-range": "0-99"},
            "a range beyond": {
                "x-amz-copy-source-range": "bytes=0-99999999"},
            "If-Match another": {"x-amz-copy-source-if-match": '"00"'}
            }.items():
        yield op(f"copy a part with {name}", "PUT", path,
                 upload(2, "partNumber=3&"),
                 {"x-amz-copy-source": source, **headers})
    yield op("copy a part of nothing", "PUT", path,
             upload(2, "partNumber=3&"), {"x-amz-copy-source": at("nobody")})
    yield op("list copied parts", "GET", path, upload(2))
    yield op("begin with small parts", "POST", at("parts/small"), "uploads")
    for n in (1, 2):
        yield op(f"small part {n}", "PUT", at("parts/small"),
                 upload(3, f"partNumber={n}&"), body=TEXT)
    yield op("complete small parts", "POST", at("parts/small"), upload(3),
             XML, complete((1, etag(TEXT)), (2, etag(TEXT))))
    yield op("abort", "DELETE", path, upload(2))
    yield op("abort again", "DELETE", path, upload(2))
    yield op("abort the other", "DELETE", at("parts/small"), upload(3))
    yield op("list uploads after", "GET", f"/{BUCKET}", "uploads")


# ---- copies

COPIES = {
    "plain": {}, "a condition": {
        "x-amz-copy-source-if-match": etag(TEXT)},
    "another metadata": {"x-amz-metadata-directive": "REPLACE",
                         "content-type": "image/gif", "x-amz-meta-n": "1"},
    "other tags": {"x-amz-tagging-directive": "REPLACE",
                   "x-amz-tagging": "t=1"},
    "an ACL": {"x-amz-acl": "public-read"},
    "a directive of nonsense": {"x-amz-metadata-directive": "PERHAPS"},
    "If-Match another": {"x-amz-copy-source-if-match": '"00"'},
    "If-None-Match": {"x-amz-copy-source-if-none-match": etag(TEXT)},
    "If-Modified-Since": {"x-amz-copy-source-if-modified-since": FUTURE},
    "If-Unmodified-Since": {"x-amz-copy-source-if-unmodified-since": PAST},
}


def copies():
    for name, headers in COPIES.items():
        yield op(f"copy with {name}", "PUT", at(f"copy/{name}"), headers={
            "x-amz-copy-source": at("full"), **headers})
        yield op(f"head of the copy with {name}", "HEAD", at(f"copy/{name}"))
    for name, source in {
            "without the slash": at("full")[1:], "encoded": at("full").replace(
                "/", "%2F"), "of nothing": at("nobody"), "of no bucket":
            at("k", "diff-nothing"), "of nonsense": "nonsense", "of a key "
            "with a blank": at("n/with space"), "of a key with a plus":
            at("n/plus+plus"), "of a key with a plus as it is":
            f"/{BUCKET}/n/plus+plus", "of UTF-8": at("n/日本語"),
            "of a version of nobody": at("full") + "?versionId=nobody",
            "of a key with a question mark": at("n/?")}.items():
        yield op(f"copy {name}", "PUT", at("copied"), headers={
            "x-amz-copy-source": source})
    yield op("copy onto itself", "PUT", at("full"), headers={
        "x-amz-copy-source": at("full")})
    yield op("copy onto itself, other metadata", "PUT", at("full"), headers={
        "x-amz-copy-source": at("full"), "x-amz-metadata-directive":
        "REPLACE", "x-amz-meta-new": "1"})
    yield op("head after that", "HEAD", at("full"))
    yield op("copy to another bucket", "PUT", at("full", SECOND), headers={
        "x-amz-copy-source": at("full")})
    yield op("copy what another user has", "PUT", at("stolen"), headers={
        "x-amz-copy-source": at("unsigned")}, user="bob")
    yield op("copy with a body", "PUT", at("copied"), headers={
        "x-amz-copy-source": at("full")}, body=b"ignored")


# ---- deletes

def deletion(objects, quiet=False, checksum=True):
    body = ("<Delete>" + ("<Quiet>true</Quiet>" if quiet else "") + objects
            + "</Delete>")
    return ({"content-md5": md5(body), **XML} if checksum else XML), body


def keys(*names):
    return "".join(f"<Object><Key>{n}</Key></Object>" for n in names)


def deletes():
    yield op("delete", "DELETE", at("copied"))
    yield op("delete again", "DELETE", at("copied"))
    yield op("delete in no bucket", "DELETE", at("k", "diff-nothing"))
    yield op("delete as another user", "DELETE", at("unsigned"), user="bob")
    yield op("delete ?foo", "DELETE", at("x-id"), "foo")
    yield op("delete with a body", "DELETE", at("twice"), body=b"what for")
    for name, (headers, body) in {
            "one": deletion(keys("put/one byte", "nobody")),
            "quietly": deletion(keys("put/no bytes"), quiet=True),
            "odd names": deletion(keys("n/&amp;", "n/&lt;x&gt;", "n/日本語",
                                       "n/with space", "n/&#9;")),
            "nothing": deletion(""), "nonsense": deletion("<Object>"),
            "no key": deletion("<Object></Object>"),
            "an empty key": deletion(keys("")),
            "1000": deletion(keys(*(f"no/{n}" for n in range(1000)))),
            "1001": deletion(keys(*(f"no/{n}" for n in range(1001)))),
            "an entity": deletion("<!DOCTYPE d [<!ENTITY e 'x'>]>"
                                  + keys("&e;")),
            }.items():
        yield op(f"delete several: {name}", "POST", f"/{BUCKET}", "delete",
                 headers, body)
    yield op("delete several, no Content-MD5", "POST", f"/{BUCKET}",
             "delete", *deletion(keys("nobody"), checksum=False))
    yield op("delete several, a wrong Content-MD5", "POST", f"/{BUCKET}",
             "delete", {"content-md5": md5("x")},
             deletion(keys("full"))[1])
    yield op("delete several in no bucket", "POST", "/diff-nothing",
             "delete", *deletion(keys("k")))
    yield op("delete several as another user", "POST", f"/{BUCKET}",
             "delete", *deletion(keys("full")), user="bob")
    yield op("delete several, no body", "POST", f"/{BUCKET}", "delete")
    yield op("delete a bucket with content", "DELETE", f"/{BUCKET}")
    yield op("delete a bucket of another user", "DELETE", f"/{BUCKET}",
             user="bob")
    yield op("delete no bucket", "DELETE", "/diff-nothing")


# ---- who may what

GRANT = ("<AccessControlPolicy xmlns='http://s3.amazonaws.com/doc/2006-03-01/'"
         "><Owner><ID>alice</ID></Owner><AccessControlList><Grant><Grantee "
         "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='%s'>"
         "%s</Grantee><Permission>%s</Permission></Grant></AccessControlList>"
         "</AccessControlPolicy>")
BOB = ("CanonicalUser", "<ID>bob</ID>")


def acls():
    path = at("n/acl")
    yield op("acl of an object", "GET", path, "acl")
    yield op("grant in XML", "PUT", path, "acl", XML, GRANT % (*BOB, "READ"))
    yield op("acl after that", "GET", path, "acl")
    yield op("read as who was granted", "GET", path, user="bob")
    yield op("grant in headers", "PUT", path, "acl", {
        "x-amz-grant-write-acp": 'id="bob"',
        "x-amz-grant-read": f'uri="{ALL_USERS}", id="alice"'})
    yield op("acl after those", "GET", path, "acl")
    yield op("canned ACL", "PUT", path, "acl", {"x-amz-acl": "private"})
    yield op("an ACL of nonsense", "PUT", path, "acl", XML, "<Access")
    yield op("an ACL for nobody", "PUT", path, "acl", XML,
             GRANT % ("CanonicalUser", "<ID>nobody</ID>", "READ"))
    yield op("an ACL and a canned one", "PUT", path, "acl",
             {"x-amz-acl": "private", **XML}, GRANT % (*BOB, "READ"))
    yield op("an ACL with neither", "PUT", path, "acl")
    yield op("acl of no object", "GET", at("nobody"), "acl")
    yield op("acl of a bucket", "PUT", f"/{SECOND}", "acl", XML,
             GRANT % (*BOB, "FULL_CONTROL"))
    yield op("list as who was granted", "GET", f"/{SECOND}", user="bob")
    yield op("acl of that bucket", "GET", f"/{SECOND}", "acl")
    yield op("a bucket is private again", "PUT", f"/{SECOND}", "acl",
             {"x-amz-acl": "private"})
    yield op("a policy that denies", "PUT", f"/{SECOND}", "policy",
             body=POLICY)
    yield op("put what is denied", "PUT", at("secret", SECOND), body=b"s")
    yield op("get what is denied", "GET", at("secret", SECOND))
    yield op("the policy status", "GET", f"/{SECOND}", "policyStatus")
    yield op("no policy any more", "DELETE", f"/{SECOND}", "policy")


# ---- object lock

LOCK = ("<ObjectLockConfiguration><ObjectLockEnabled>Enabled"
        "</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>"
        "<Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>")
RETENTION = ("<Retention><Mode>%s</Mode><RetainUntilDate>%s"
             "</RetainUntilDate></Retention>")
HOLD = "<LegalHold><Status>%s</Status></LegalHold>"


def with_md5(body):
    return {"content-md5": md5(body), **XML}, body


def locks():
    path = at("k", LOCKED)
    yield op("lock of a bucket", "GET", f"/{LOCKED}", "object-lock")
    yield op("lock by default", "PUT", f"/{LOCKED}", "object-lock",
             *with_md5(LOCK))
    yield op("lock is so", "GET", f"/{LOCKED}", "object-lock")
    yield op("lock a bucket without versions", "PUT", f"/{SECOND}",
             "object-lock", *with_md5(LOCK))
    yield op("put what is locked", "PUT", path, headers={
        "content-md5": md5(TEXT), "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2050-01-01T00:00:00Z"},
        body=TEXT)
    yield op("head what is locked", "HEAD", path)
    yield op("its retention", "GET", path, "retention")
    yield op("retention shorter", "PUT", path, "retention", *with_md5(
        RETENTION % ("GOVERNANCE", "2040-01-01T00:00:00Z")))
    yield op("retention of nonsense", "PUT", path, "retention", *with_md5(
        RETENTION % ("PERHAPS", "2040-01-01T00:00:00Z")))
    yield op("retention of the past", "PUT", path, "retention", *with_md5(
        RETENTION % ("GOVERNANCE", "2013-01-01T00:00:00Z")))
    yield op("hold", "PUT", path, "legal-hold", *with_md5(HOLD % "ON"))
    yield op("held", "GET", path, "legal-hold")
    yield op("hold no more", "PUT", path, "legal-hold",
             *with_md5(HOLD % "OFF"))
    yield op("hold in a bucket without lock", "PUT", at("full", SECOND),
             "legal-hold", *with_md5(HOLD % "ON"))
    yield op("versions that are locked", "GET", f"/{LOCKED}", "versions")
    yield op("delete what is locked", "DELETE", path,
             "versionId=<<version-last>>")
    yield op("delete what is locked, allowed", "DELETE", path,
             "versionId=<<version-last>>",
             {"x-amz-bypass-governance-retention": "true"})


# ---- how requests are framed

def framing():
    yield op("Expect: 100-continue", "PUT", at("expect"), body=TEXT,
             headers={"expect": "100-continue"}, awaits_100=True)
    yield op("Expect: 100-continue to no bucket", "PUT",
             at("k", "diff-nothing"), body=TEXT,
             headers={"expect": "100-continue"}, awaits_100=True)
    yield op("Expect without waiting", "PUT", at("expect"), body=TEXT,
             headers={"expect": "100-continue"})
    yield op("no length", "PUT", at("no-length"), has_length=False)
    for name, body in {"": TEXT, ", little": b"x", ", much": TEXT * 99
                       }.items():
        yield op(f"Transfer-Encoding: chunked{name}", "PUT", at("chunked"),
                 body=body, payload="UNSIGNED-PAYLOAD", is_chunked=True)
    yield op("get what came in chunks", "GET", at("chunked"))
    yield op("headers in other letters", "GET", at("expect"), headers={
        "RANGE": "bytes=0-3", "If-MATCH": etag(TEXT)})
    yield op("many headers", "GET", at("expect"), headers={
        f"x-other-{n}": "v" * 50 for n in range(60)})


def presigned():
    """URLs, as they are given away."""
    path = at("by a URL/ä b+c")
    other = "response-content-type=a%2Fb&response-cache-control=no-store"
    for name, method, query, headers, body in (
            ("put", "PUT", "", {}, TEXT), ("get", "GET", "", {}, b""),
            ("head", "HEAD", "", {}, b""), ("get, other headers", "GET",
                                            other, {}, b""),
            ("get a range", "GET", "", {"range": "bytes=0-9"}, b""),
            ("put with headers", "PUT", "", {"x-amz-meta-a": "b", "content-"
                                             "type": "image/png"}, b"x"),
            ("tags", "GET", "tagging", {}, b""),
            ("delete", "DELETE", "", {}, b""),
            ("get of nothing", "GET", "", {}, b"")):
        yield op(f"presigned {name}", method, path, query, headers, body,
                 is_presigned=True)
    yield op("presigned list", "GET", f"/{BUCKET}", "list-type=2&max-keys=3",
             is_presigned=True)


def in_chunks():
    for name, body in {"nothing": b"", "little": TEXT, "much": PART}.items():
        yield op(f"in signed chunks: {name}", "PUT", at(f"chunks/{name}"),
                 headers=HEADERS[:3] + HEADERS[4:8], body=body,
                 in_chunks=True)
        yield op(f"head after signed chunks: {name}", "HEAD",
                 at(f"chunks/{name}"))
    yield op("in signed chunks to no bucket", "PUT", at("k", "diff-nothing"),
             body=TEXT, in_chunks=True)


PREFLIGHT = {"origin": "http://a.example",
             "access-control-request-method": "PUT",
             "access-control-request-headers": "x-amz-date"}


def cors():
    """OPTIONS is not signed: S3 answers it to everybody."""
    yield op("cors rules", "PUT", f"/{SECOND}", "cors", with_md5(CORS)[0],
             CORS)
    yield op("get with an Origin", "GET", at("full", SECOND), headers={
        "origin": "http://a.example"})
    yield op("get with another Origin", "GET", at("full", SECOND), headers={
        "origin": "http://b.example"})
    yield op("head of nothing with an Origin", "HEAD", at("nobody", SECOND),
             headers={"origin": "http://a.example"})


def preflight():
    for name, path, headers in (
            ("", at("full", SECOND), {}), ("of a bucket", f"/{SECOND}", {}),
            ("of another Origin", at("full", SECOND),
             {"origin": "http://b.example"}),
            ("of another method", at("full", SECOND),
             {"access-control-request-method": "DELETE"}),
            ("of a bucket without rules", at("full"), {}),
            ("of no bucket", at("k", "diff-nothing"), {})):
        yield op(f"preflight {name}", "OPTIONS", path, is_signed=False,
                 headers={**PREFLIGHT, **headers})
    yield op("preflight without Origin", "OPTIONS", at("full", SECOND),
             is_signed=False)
