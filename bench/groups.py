"""What the code of Chorus in nginx is for, by file: for the break-down of a
request's instructions.

What helpers cost counts for who calls them.  A file that costs something and
has no place here is an error, so that the break-down stays true.
"""

import os
from collections import defaultdict
from fnmatch import fnmatch

import callgrind

MODULE = "ngx_http_chorus_module"

# the first pattern that fits counts
GROUPS = {
    "parse": """chorus_s3_request.c chorus_uri.c chorus_sigv4_parse.c
        chorus_sigv4_query.c chorus_sigv2_args.c chorus_destination.c
        chorus_provider.c chorus_aws_chunked*.c chorus_post_*.c
        chorus_complete.c chorus_xml*.c ngx_http_chorus_domain.c
        ngx_http_chorus_form.c ngx_http_chorus_body.c
        ngx_http_chorus_headers.c ngx_http_chorus_wide.c""",
    "canonicalise": "chorus_sigv4.c chorus_canonical.c chorus_sigv2.c",
    "HMAC and SHA-256": """chorus_crypto.c chorus_key_cache.c
        chorus_checksum.c""",
    "authenticate": """chorus_auth*.c chorus_sigv4_verify.c
        chorus_sigv2_verify.c chorus_config*.c ngx_http_chorus_access.c
        ngx_http_chorus_auth.c ngx_http_chorus_anonymous.c""",
    "variables": """ngx_http_chorus_variables.c ngx_http_chorus_sign.c
        ngx_http_chorus_peer.c""",
    "policy": """chorus_policy*.c chorus_live*.c ngx_http_chorus_policy*.c
        ngx_http_chorus_location.c ngx_http_chorus_resolve.c""",
    "journal": """ngx_http_chorus_journal*.c chorus_journal.c
        ngx_http_chorus_recent.c ngx_http_chorus_repeat.c
        ngx_http_chorus_turn.c""",
    "marks": """ngx_http_chorus_mark*.c ngx_http_chorus_settle.c
        ngx_http_chorus_redis*.c chorus_replication.c chorus_redis*.c""",
    "answer, counters": """ngx_http_chorus_metrics*.c
        ngx_http_chorus_error.c ngx_http_chorus_counters.c
        ngx_http_chorus_denied.c ngx_http_chorus_log.c
        ngx_http_chorus_replicated.c ngx_http_chorus_parts.c
        ngx_http_chorus_upload*.c ngx_http_chorus_refuse.c""",
}
HELPERS = """chorus_str.c chorus_mem.c chorus_error.c chorus_time.c
    chorus_crc*.c chorus_fold.c *.h"""
# instructions a request; less is what happens once a second, or at the start
NOTHING = 10


def is_chorus(function):
    return MODULE in function.object


def is_helper(function):
    return is_chorus(function) and fits(function, HELPERS)


def fits(function, patterns):
    name = os.path.basename(function.file)
    return any(fnmatch(name, pattern) for pattern in patterns.split())


def group_of(function):
    """None: not of Chorus, or a helper, or in none."""
    if "hiredis" in function.object:
        return "marks"
    if not is_chorus(function) or is_helper(function):
        return None
    for name, patterns in GROUPS.items():
        if fits(function, patterns):
            return name
    return None


def check(profile):
    cost = defaultdict(float)
    for function, n in profile.own.items():
        if is_chorus(function) and not is_helper(function) \
                and group_of(function) is None:
            cost[os.path.basename(function.file)] += n
    missing = sorted(name for name, n in cost.items() if n > NOTHING)
    assert not missing, (f"bench/groups.py says nothing of "
                         f"{', '.join(missing)}")


class Helpers:
    """Own instructions of a helper and of those that it calls, a call."""

    def __init__(self, profile):
        self.profile = profile
        self.times = defaultdict(float)
        self.called = defaultdict(list)
        self.known = {}
        for (one, other), n in profile.calls.items():
            if is_helper(other):
                self.times[other] += n
                if is_helper(one) and one != other:
                    self.called[one].append((other, n))

    def own(self, function):
        if function not in self.known:
            self.known[function] = 0        # of itself, if it is recursive
            total = self.profile.own[function] + sum(
                n * self.own(other) for other, n in self.called[function])
            self.known[function] = (total / self.times[function]
                                    if self.times[function] else 0)
        return self.known[function]


def split(profile):
    """{group: [own instructions, those with what is called]}, a request."""
    check(profile)
    found = {name: [0, 0] for name in GROUPS}
    for function, n in profile.own.items():
        if name := group_of(function):
            found[name][0] += n if is_chorus(function) else 0
            found[name][1] += n
    helpers = Helpers(profile)
    ours_again = callgrind.returning(profile, group_of)
    for one, other, n, cost in profile.called_by(group_of):
        if group_of(other) is None:
            name = group_of(one)
            if is_helper(other):
                found[name][0] += n * helpers.own(other)
            if other not in ours_again:
                found[name][1] += cost
    return found
