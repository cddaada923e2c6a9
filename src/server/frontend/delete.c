/*
 * delete.c: DeleteWorkflowExecution. A run that is open is terminated first, so that whoever waits
 * for its end is told of one. Loop's thread.
 */
#include "server/frontend/frontend.h"

void frontend_delete(struct request *request)
{
	const Workflowservice__DeleteWorkflowExecutionRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct execution *execution =
		space ? frontend_execution(request, space, in->workflow_execution) : NULL;

	if (!execution)
		return;
	if (state_running(execution))
		execution_terminate(
			execution, "Delete workflow execution", NULL, "history-service", NULL);
	archive_delete(execution);
	request_reply(
		request, REQUEST_NEW(request, Workflowservice__DeleteWorkflowExecutionResponse,
				 workflowservice__delete_workflow_execution_response));
}
