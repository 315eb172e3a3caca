/* Which page an address means. */

import * as overview from './overview.js';
import * as replications from './replications.js';
import * as replication from './replication.js';
import * as create from './create.js';
import * as buckets from './buckets.js';
import * as rules from './rules.js';
import * as limits from './limits.js';
import * as scans from './scans.js';
import * as scan from './scan.js';
import * as failed from './failed.js';
import * as explain from './explain.js';
import * as audit from './audit.js';
import * as missing from './missing.js';

const PAGES = {
    '': overview, replications, buckets, rules, limits, scans, failed,
    explain, audit, new: create,
};

const WITH_A_NAME = { replications: replication, scans: scan };


export function pageOf(parts) {
    const [first = '', name] = parts;

    if (name !== undefined) {
        return WITH_A_NAME[first] && parts.length === 2 ? WITH_A_NAME[first]
                                                        : missing;
    }

    return Object.hasOwn(PAGES, first) ? PAGES[first] : missing;
}
