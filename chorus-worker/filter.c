#include "chorus_policy.h"
#include "filter.h"


bool
filter_takes_key(work_t *work)
{
    if (chorus_policy_takes_key(work->config, &work->task->parts,
                                work->task->key))
    {
        return true;
    }

    work->is_filtered = true;
    work_log(work, LOG_DEBUG, "no filter takes this key");

    return false;
}


bool
filter_asks_tags(const work_t *work)
{
    return chorus_policy_asks_tags(work->config, &work->task->parts,
                                   work->task->key);
}


bool
filter_takes_tags(work_t *work, const chorus_tagging_t *tags)
{
    if (!filter_asks_tags(work)
        || chorus_policy_takes_tags(work->config, &work->task->parts,
                                    work->task->key, tags))
    {
        return true;
    }

    work->is_filtered = true;
    work_log(work, LOG_DEBUG, "no filter takes the tags of this key");

    return false;
}
