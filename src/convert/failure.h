/*
 * failure.h: what both directions of failures share.
 */
#ifndef CONVERT_FAILURE_H
#define CONVERT_FAILURE_H

/* Causes in a chain, the failure itself included; what is behind is dropped. */
#define FAILURE_CHAIN_MAX 100

#define FAILURE_SOURCE "CSDK"

#define FAILURE_NEXUS_NON_RETRYABLE \
	ENUMS__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE

#endif
