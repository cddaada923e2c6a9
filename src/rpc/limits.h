/*
 * limits.h: every limit and default duration of the folder, in one place. Options override those
 * that have one.
 */
#ifndef RPC_LIMITS_H
#define RPC_LIMITS_H

#define RPC_MS_NS 1000000LL
#define RPC_S_NS  1000000000LL
#define RPC_KIB   1024U
#define RPC_MIB   (1024U * 1024U)

#define RPC_USER_AGENT "temporal-c/0.1"

/* Messages and headers. */
#define RPC_CLIENT_RECEIVE_MAX (128U * RPC_MIB) /* one reply after inflation, as the peers */
#define RPC_SERVER_RECEIVE_MAX \
	(4U * RPC_MIB)                         /* one request after inflation, as the real server \
						*/
#define RPC_SERVER_SEND_MAX   (128U * RPC_MIB) /* one reply, what clients take */
#define RPC_CLIENT_MEMORY_MAX (512U * RPC_MIB) /* of all replies being received on a connection */
#define RPC_SERVER_MEMORY_MAX (64U * RPC_MIB)  /* of all requests being received on a connection */
#define RPC_HEADER_LIST_MAX \
	(16U * RPC_KIB) /* names, values and 32 bytes a field, of one request \
			 */
#define RPC_REPLY_HEADERS_MAX \
	(64U * RPC_KIB) /* of all header blocks of one reply; status details are in them */
#define RPC_HEADER_FIELDS_MAX 64U
#define RPC_HEADER_BLOCKS_MAX 8U    /* of one reply: interim responses, headers, trailers */
#define RPC_GZIP_LEAST        2048U /* smaller messages are not worth compressing */

/* HTTP/2. */
#define RPC_STREAM_WINDOW        (4U * RPC_MIB)
#define RPC_CONNECTION_WINDOW    (16U * RPC_MIB)
#define RPC_SERVER_STREAM_WINDOW (1U * RPC_MIB)
#define RPC_STREAMS_MAX          1000U
/*
 * Answers that wait for their client. Beyond so much on a connection, or in all if the connection
 * has more than its fair part of it, new requests are refused, and answers to older ones reset.
 */
#define RPC_UNSENT_MAX     (32U * RPC_MIB)
#define RPC_UNSENT_ALL_MAX (256U * RPC_MIB)
#define RPC_UNSENT_FAIR    (1U * RPC_MIB)
/* Fewer bytes are no reason to wake up while all replies are lazy: a short reply has about 40, a
 * task at least 300. */
#define RPC_LAZY_BYTES 192
/* Reading at an interval (pace.c): with so much open work; so many bytes are read at once. */
#define RPC_TICK_WORK  2
#define RPC_TICK_BYTES 16384
#define RPC_LINKS_MAX  16U /* connections of one channel, draining ones included */

/* Durations. */
#define RPC_CALL_TIMEOUT_MS       30000
#define RPC_POLL_TIMEOUT_MS       70000
#define RPC_TIMEOUT_ROUND_NS      (20 * RPC_MS_NS) /* so much less is still called all of it */
#define RPC_CONNECT_TIMEOUT_MS    10000
#define RPC_KEEP_ALIVE_MS         30000
#define RPC_KEEP_ALIVE_TIMEOUT_MS 15000
#define RPC_DNS_REFRESH_MS        30000
/* The answer to a ping that only measures the connection, and replies that nobody waits for. */
#define RPC_LAZY_MS          100
#define RPC_RECONNECT_MIN_MS 100
#define RPC_RECONNECT_MAX_MS 2000

/* What a server's client may do, and for how long (reliability limits H1 to H7). */
#define RPC_RESETS_BURST       500U /* streams that the client resets */
#define RPC_RESETS_PER_S       50U
#define RPC_OWN_RESETS_BURST   200U /* streams that we have to reset, and frames that are invalid */
#define RPC_OWN_RESETS_PER_S   20U
#define RPC_PREFACE_TIMEOUT_MS 10000
#define RPC_FIRST_CALL_MS      20000
#define RPC_BODY_PROGRESS_MS \
	10000 /* in which a request's body has to grow by RPC_BODY_PROGRESS \
	       */
#define RPC_BODY_PROGRESS      1024U
#define RPC_REPLY_STALLED_MS   30000
#define RPC_TLS_TIMEOUT_MS     10000
#define RPC_SHUTDOWN_NOTICE_MS 1000 /* between the two GOAWAYs */
#define RPC_CONNECTIONS_MAX    4096U
#define RPC_TICK_MS            2000

#endif
