/*
 * fake_endpoint.h: on top of fake_workflow.h: a Nexus endpoint that leads to the queue "queue".
 */
#ifndef TEST_SERVER_FAKE_ENDPOINT_H
#define TEST_SERVER_FAKE_ENDPOINT_H

#include "fake_workflow.h"
#include "server/nexus/nexus.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

static UNUSED void make_endpoint(const char *name)
{
	Operatorservice__CreateNexusEndpointRequest in =
		OPERATORSERVICE__CREATE_NEXUS_ENDPOINT_REQUEST__INIT;
	Nexus__EndpointSpec spec = NEXUS__ENDPOINT_SPEC__INIT;
	Nexus__EndpointTarget target = NEXUS__ENDPOINT_TARGET__INIT;
	Nexus__EndpointTarget__Worker worker = NEXUS__ENDPOINT_TARGET__WORKER__INIT;

	worker.namespace_ = "default";
	worker.task_queue = "queue";
	target.variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_WORKER;
	target.worker = &worker;
	spec.name = name;
	spec.target = &target;
	in.spec = &spec;
	call_well(nexus_create_endpoint, &in);
}

#endif
