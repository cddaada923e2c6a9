/*
 * family.h: the parts of DescribeWorkflowExecution that tell of other runs.
 */
#ifndef SERVER_FRONTEND_FAMILY_H
#define SERVER_FRONTEND_FAMILY_H

#include "server/frontend/frontend.h"

/* Parent and root. */
void family_describe(struct request *request, const struct execution *execution,
	Workflow__WorkflowExecutionInfo *info);

void family_describe_children(struct request *request, const struct execution *execution,
	Workflowservice__DescribeWorkflowExecutionResponse *out);

#endif
