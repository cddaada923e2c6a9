/*
 * column.h: what a filter can speak of: the columns of an execution and their values.
 *
 * A column is one of the system's (WorkflowId, StartTime, ...) or one of the fixed columns for
 * custom search attributes (Int01, Keyword10, ...), which a namespace knows under aliases. All is
 * constant here: any thread.
 */
#ifndef SERVER_VISIBILITY_COLUMN_H
#define SERVER_VISIBILITY_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Numbers of the API's IndexedValueType. */
enum visibility_type {
	VISIBILITY_TEXT = 1,
	VISIBILITY_KEYWORD,
	VISIBILITY_INT,
	VISIBILITY_DOUBLE,
	VISIBILITY_BOOL,
	VISIBILITY_DATETIME,
	VISIBILITY_KEYWORD_LIST,
	VISIBILITY_TYPE_COUNT,
};

/* Where the value is found. */
enum visibility_place {
	VISIBILITY_WORKFLOW_ID,
	VISIBILITY_RUN_ID,
	VISIBILITY_WORKFLOW_TYPE,
	VISIBILITY_TASK_QUEUE,
	VISIBILITY_PARENT_WORKFLOW_ID, /* null without a parent */
	VISIBILITY_PARENT_RUN_ID,
	VISIBILITY_ROOT_WORKFLOW_ID,
	VISIBILITY_ROOT_RUN_ID,
	VISIBILITY_STATUS, /* an integer: WorkflowExecutionStatus */
	VISIBILITY_START_TIME,
	VISIBILITY_EXECUTION_TIME,
	VISIBILITY_CLOSE_TIME,         /* from here on null while it is open */
	VISIBILITY_EXECUTION_DURATION, /* close - execution, ns */
	VISIBILITY_HISTORY_LENGTH,
	VISIBILITY_HISTORY_SIZE,
	VISIBILITY_STATE_TRANSITIONS,
	VISIBILITY_ATTRIBUTE, /* a search attribute, by the column's name */
};

struct visibility_column {
	const char *name; /* as it is stored: "WorkflowId", "BuildIds", "Int01" */
	enum visibility_type type;
	enum visibility_place place;
	bool custom; /* for a namespace's own attributes */
};

/*
 * A value. Datetimes are INT, ns since the epoch; what lies outside is cut to int64_t's range. A
 * status is an INT. Texts are borrowed from whoever gave the value.
 */
enum visibility_kind {
	VISIBILITY_NULL,
	VISIBILITY_IS_BOOL, /* in `number`: 0 or 1 */
	VISIBILITY_IS_INT,
	VISIBILITY_IS_DOUBLE,
	VISIBILITY_IS_TEXT,
	VISIBILITY_IS_LIST,
};

struct visibility_value {
	enum visibility_kind kind;
	int64_t number;
	double real;
	struct str text;
	const struct str *list;
	size_t n_list;
};

/* All columns; *n is their number. The pointers to them are their identity. */
const struct visibility_column *visibility_columns(size_t *n);

/* The column that is stored under the name; NULL if there is none. */
const struct visibility_column *visibility_column_find(struct str name);

/* "Keyword", "KeywordList", ...; "Unspecified" for a number that is no type. */
const char *visibility_type_name(enum visibility_type type);

/* The type's number by its name; 0 for no type's name. */
enum visibility_type visibility_type_find(struct str name);

/* "Running", "TimedOut", ... ; NULL for a number that is no status. */
const char *visibility_status_name(int64_t status);

/* The number of "Running" or "WORKFLOW_EXECUTION_STATUS_RUNNING"; -1 for another text. */
int visibility_status_find(struct str name);

/*
 * Text as it is compared with a filter's words: lower-case words, each between two spaces. Letters
 * and digits make words; the accents of Latin letters do not count. At most 3 bytes longer than
 * twice the text. Returns the length.
 */
size_t visibility_words(struct str text, char *out);
#define VISIBILITY_WORDS_MAX(len_) (2 * (len_) + 3)

/*
 * RFC 3339 to ns since the epoch. One digit for the hour and a comma before the fraction are taken
 * too. False when it is not a time.
 */
bool visibility_time_parse(struct str text, int64_t *ns);

/*
 * A duration in ns: a whole number of ns, "1h30m", "1.5d", or "hh:mm:ss". False when it is none or
 * does not fit.
 */
bool visibility_duration_parse(struct str text, int64_t *ns);

#endif
