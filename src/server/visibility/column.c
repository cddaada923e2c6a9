/*
 * column.c: the table of columns, types and statuses.
 *
 * The custom columns, their number per type included, are those that the official development
 * server has on SQLite, so that its users find the same limits. Constant; any thread.
 */
#include "server/visibility/column.h"

#define SYSTEM(name_, type_, place_) \
	{ \
		name_, VISIBILITY_##type_, VISIBILITY_##place_, false \
	}
#define ATTRIBUTE(name_, type_) \
	{ \
		name_, VISIBILITY_##type_, VISIBILITY_ATTRIBUTE, false \
	}
#define CUSTOM(name_, type_) \
	{ \
		name_, VISIBILITY_##type_, VISIBILITY_ATTRIBUTE, true \
	}

static const struct visibility_column columns[] = {
	SYSTEM("WorkflowId", KEYWORD, WORKFLOW_ID),
	SYSTEM("RunId", KEYWORD, RUN_ID),
	SYSTEM("WorkflowType", KEYWORD, WORKFLOW_TYPE),
	SYSTEM("ExecutionStatus", KEYWORD, STATUS),
	SYSTEM("StartTime", DATETIME, START_TIME),
	SYSTEM("ExecutionTime", DATETIME, EXECUTION_TIME),
	SYSTEM("CloseTime", DATETIME, CLOSE_TIME),
	SYSTEM("ExecutionDuration", INT, EXECUTION_DURATION),
	SYSTEM("HistoryLength", INT, HISTORY_LENGTH),
	SYSTEM("HistorySizeBytes", INT, HISTORY_SIZE),
	SYSTEM("StateTransitionCount", INT, STATE_TRANSITIONS),
	SYSTEM("TaskQueue", KEYWORD, TASK_QUEUE),
	SYSTEM("ParentWorkflowId", KEYWORD, PARENT_WORKFLOW_ID),
	SYSTEM("ParentRunId", KEYWORD, PARENT_RUN_ID),
	SYSTEM("RootWorkflowId", KEYWORD, ROOT_WORKFLOW_ID),
	SYSTEM("RootRunId", KEYWORD, ROOT_RUN_ID),
	ATTRIBUTE("BatcherNamespace", KEYWORD),
	ATTRIBUTE("BatcherUser", KEYWORD),
	ATTRIBUTE("BinaryChecksums", KEYWORD_LIST),
	ATTRIBUTE("BuildIds", KEYWORD_LIST),
	ATTRIBUTE("TemporalChangeVersion", KEYWORD_LIST),
	ATTRIBUTE("TemporalExternalPayloadCount", INT),
	ATTRIBUTE("TemporalExternalPayloadSizeBytes", INT),
	ATTRIBUTE("TemporalNamespaceDivision", KEYWORD),
	ATTRIBUTE("TemporalPauseInfo", KEYWORD_LIST),
	ATTRIBUTE("TemporalReportedProblems", KEYWORD_LIST),
	ATTRIBUTE("TemporalSchedulePaused", BOOL),
	ATTRIBUTE("TemporalScheduledById", KEYWORD),
	ATTRIBUTE("TemporalScheduledStartTime", DATETIME),
	ATTRIBUTE("TemporalUsedWorkerDeploymentVersions", KEYWORD_LIST),
	ATTRIBUTE("TemporalWorkerDeployment", KEYWORD),
	ATTRIBUTE("TemporalWorkerDeploymentVersion", KEYWORD),
	ATTRIBUTE("TemporalWorkflowVersioningBehavior", KEYWORD),
	CUSTOM("Bool01", BOOL),
	CUSTOM("Bool02", BOOL),
	CUSTOM("Bool03", BOOL),
	CUSTOM("Datetime01", DATETIME),
	CUSTOM("Datetime02", DATETIME),
	CUSTOM("Datetime03", DATETIME),
	CUSTOM("Double01", DOUBLE),
	CUSTOM("Double02", DOUBLE),
	CUSTOM("Double03", DOUBLE),
	CUSTOM("Int01", INT),
	CUSTOM("Int02", INT),
	CUSTOM("Int03", INT),
	CUSTOM("Keyword01", KEYWORD),
	CUSTOM("Keyword02", KEYWORD),
	CUSTOM("Keyword03", KEYWORD),
	CUSTOM("Keyword04", KEYWORD),
	CUSTOM("Keyword05", KEYWORD),
	CUSTOM("Keyword06", KEYWORD),
	CUSTOM("Keyword07", KEYWORD),
	CUSTOM("Keyword08", KEYWORD),
	CUSTOM("Keyword09", KEYWORD),
	CUSTOM("Keyword10", KEYWORD),
	CUSTOM("KeywordList01", KEYWORD_LIST),
	CUSTOM("KeywordList02", KEYWORD_LIST),
	CUSTOM("KeywordList03", KEYWORD_LIST),
	CUSTOM("Text01", TEXT),
	CUSTOM("Text02", TEXT),
	CUSTOM("Text03", TEXT),
};

static const char *const type_names[VISIBILITY_TYPE_COUNT] = { "Unspecified", "Text", "Keyword",
	"Int", "Double", "Bool", "Datetime", "KeywordList" };

static const struct {
	const char *name, *full_name;
} statuses[] = {
	{ "Unspecified", "WORKFLOW_EXECUTION_STATUS_UNSPECIFIED" },
	{ "Running", "WORKFLOW_EXECUTION_STATUS_RUNNING" },
	{ "Completed", "WORKFLOW_EXECUTION_STATUS_COMPLETED" },
	{ "Failed", "WORKFLOW_EXECUTION_STATUS_FAILED" },
	{ "Canceled", "WORKFLOW_EXECUTION_STATUS_CANCELED" },
	{ "Terminated", "WORKFLOW_EXECUTION_STATUS_TERMINATED" },
	{ "ContinuedAsNew", "WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW" },
	{ "TimedOut", "WORKFLOW_EXECUTION_STATUS_TIMED_OUT" },
	{ "Paused", "WORKFLOW_EXECUTION_STATUS_PAUSED" },
};
#define STATUS_COUNT (sizeof(statuses) / sizeof(*statuses))

const struct visibility_column *visibility_columns(size_t *n)
{
	*n = sizeof(columns) / sizeof(*columns);
	return columns;
}

const struct visibility_column *visibility_column_find(struct str name)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		if (str_eq(name, str_from(columns[i].name)))
			return &columns[i];
	}
	return NULL;
}

const char *visibility_type_name(enum visibility_type type)
{
	return type_names[(unsigned)type < VISIBILITY_TYPE_COUNT ? type : 0];
}

enum visibility_type visibility_type_find(struct str name)
{
	for (size_t i = 1; i < VISIBILITY_TYPE_COUNT; i++) {
		if (str_eq(name, str_from(type_names[i])))
			return (enum visibility_type)i;
	}
	return (enum visibility_type)0;
}

const char *visibility_status_name(int64_t status)
{
	return status >= 0 && status < (int64_t)STATUS_COUNT ? statuses[status].name : NULL;
}

int visibility_status_find(struct str name)
{
	for (size_t i = 0; i < STATUS_COUNT; i++) {
		if (str_eq(name, str_from(statuses[i].name)) ||
			str_eq(name, str_from(statuses[i].full_name)))
			return (int)i;
	}
	return -1;
}
