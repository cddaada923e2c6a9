/*
 * namespace.h: what the files about namespaces share.
 */
#ifndef SERVER_FRONTEND_NAMESPACE_H
#define SERVER_FRONTEND_NAMESPACE_H

#include "server/frontend/frontend.h"

/* The official server's own, where it runs workflows for itself; here nothing runs in it, but it is
 * there to be described, and nobody may take its name. */
#define SYSTEM_NAMESPACE "temporal-system"
/* ... as it is there, in the journal. */
void namespace_register_system(struct server *server);

/* system.c: all of a namespace, as it is told. */
Workflowservice__DescribeNamespaceResponse *namespace_describe(
	struct request *request, const struct server_namespace *space);

/* Its state and what its owner has set, into the answer. */
void namespace_settings(struct request *request, const struct server_namespace *space,
	Namespace__NamespaceInfo *info, Namespace__NamespaceConfig *config);
/* The one cluster that there is. */
Replication__ClusterReplicationConfig **namespace_clusters(struct request *request);

/* May it be used, for new runs (`start`) or at all? False: answered. */
bool namespace_usable(struct request *request, const struct server_namespace *space, bool start);

/* By its id. NULL: there is none. */
struct server_namespace *namespace_by_id(const struct server *server, const char *id);
/* Is it a UUID, as ids are? */
bool namespace_is_uuid(const char *text);
void namespace_not_found(struct request *request, const char *name);

/* namespace_delete.c: after a restart, deletions that were under way go on. */
void namespace_resume(struct server *server);

#endif
