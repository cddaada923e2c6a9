/*
 * family.h: the parts of DescribeWorkflowExecution that tell of other runs.
 */
#ifndef SERVER_FRONTEND_FAMILY_H
#define SERVER_FRONTEND_FAMILY_H

#include "server/frontend/frontend.h"

/* Parent and root. */
void family_describe(struct request *request, const struct execution *execution,
	Workflow__WorkflowExecutionInfo *info);

/* What clients of the official server find in any answer, even where there is nothing to tell. */
void family_complete(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out);

void family_describe_children(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out);

#endif
