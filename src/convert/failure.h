/*
 * failure.h: what both directions of failures share.
 */
#ifndef CONVERT_FAILURE_H
#define CONVERT_FAILURE_H

/*
 * Failures in a chain, the first included; what is behind is dropped. A message may be nested 100
 * deep, and each cause is one level: what we send leaves room for the messages around the chain, on
 * its way back in a history too, for what lies in its last failure, and for workflows that pass it
 * on, each of which puts one before it. What we are sent is within the depth already.
 */
#define FAILURE_CHAIN_MAX      100
#define FAILURE_CHAIN_SENT_MAX 64

#define FAILURE_SOURCE "CSDK"

#define FAILURE_NEXUS_RETRYABLE \
	ENUMS__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE
#define FAILURE_NEXUS_NON_RETRYABLE \
	ENUMS__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR__NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE

#endif
