/*
 * metadata.c: the queries that every workflow answers: where its coroutines are, and what it is.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

bool metadata_query(struct wf *wf, const struct activation_query *job)
{
	return false;
}
