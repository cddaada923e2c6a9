/*
 * contract.h: what the service of parcels offers. Its handler and all its callers include it, in
 * whatever team, namespace or program they live.
 */
#ifndef PARCELS_CONTRACT_H
#define PARCELS_CONTRACT_H

#include <temporal/types.h>

struct parcel {
	const char *id, *to;
	double kilos;
};
TEMPORAL_RECORD(parcel, id, to, kilos);

/* What it costs: answered at once. */
struct quote_in {
	struct parcel parcel;
};
typedef double quote_out;
TEMPORAL_NEXUS_CONTRACT(quote, "quote", RECORD(parcel, struct parcel));

/* Takes it there: ends when it has arrived. */
struct ship_in {
	struct parcel parcel;
};
typedef const char *ship_out; /* who has signed */
TEMPORAL_NEXUS_CONTRACT(ship, "ship", RECORD(parcel, struct parcel));

TEMPORAL_NEXUS_SERVICE_CONTRACT(parcels, "parcels", &quote, &ship);

#define PARCELS_ENDPOINT "parcels-endpoint"

#endif
