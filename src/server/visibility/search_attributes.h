/*
 * search_attributes.h: a namespace's custom search attributes, and the values of search attributes.
 *
 * As on the official development server a custom attribute is an alias for one of a fixed number of
 * columns per type (three of Bool, ten of Keyword, ...). Runs keep their attributes under the
 * aliases, as Payloads; rows for filters have them under the columns, decoded.
 */
#ifndef SERVER_VISIBILITY_SEARCH_ATTRIBUTES_H
#define SERVER_VISIBILITY_SEARCH_ATTRIBUTES_H

#include <temporal/error.h>

#include "base/arena.h"
#include "server/visibility/filter.h"
#include "temporal/api/common/v1/message.pb-c.h"

#define SEARCH_ATTRIBUTES_COUNT_MAX 100
#define SEARCH_ATTRIBUTES_VALUE_MAX 2048        /* bytes of one value */
#define SEARCH_ATTRIBUTES_TOTAL_MAX (40 * 1024) /* bytes of the whole message */
#define SEARCH_ATTRIBUTES_CUSTOM    28          /* columns for custom attributes */

/* Zeroed: none. Changed by the server's loop only; may be read anywhere between changes. */
struct search_attributes {
	char *aliases[SEARCH_ATTRIBUTES_CUSTOM]; /* by the columns' order; NULL: free */
};

struct search_attribute {
	const char *name;
	int32_t type; /* as the request has it */
};

void search_attributes_finish(struct search_attributes *attributes);

/* Is there anything to add, with names that are free to take, of types that exist? */
enum temporal_code search_attributes_validate(const struct search_attribute *list, size_t n,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Adds them all or, on failure, none: INVALID_ARGUMENT, with the official texts (nothing given, a
 * reserved name, no such type, no column left), NO_MEMORY. A name that is there already is left as
 * it is, whatever its type.
 */
enum temporal_code search_attributes_add(struct search_attributes *attributes,
	const struct search_attribute *list, size_t n, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Removes them all or none: INVALID_ARGUMENT for one of the system's. Unknown names are fine. */
enum temporal_code search_attributes_remove(struct search_attributes *attributes,
	const char *const *names, size_t n, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Binds an alias to a certain column, as read back from the store. False: no such column, or no
 * memory. */
bool search_attributes_restore(struct search_attributes *attributes, const char *column,
	const char *alias) __attribute__((warn_unused_result));

/* The alias and column number `i` < SEARCH_ATTRIBUTES_CUSTOM; NULL if the column is free. */
const char *search_attributes_alias(const struct search_attributes *attributes, size_t i,
	const struct visibility_column **column);

/* The column behind an alias; NULL for none. `attributes`, as void *: fits filter_resolver. */
const struct visibility_column *search_attributes_find(void *attributes, struct str alias);

/* The first of these that the namespace does not know; NULL: none. */
const char *search_attributes_unknown(
	const struct search_attributes *attributes, const Common__SearchAttributes *values);

/* A copy in which each says its type; what is null stays (in a change it means "gone"). NULL when
 * memory is out. */
Common__SearchAttributes *search_attributes_typed(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *values)
	__attribute__((warn_unused_result));

/*
 * May a run of this namespace have these (NULL: yes)? INVALID_ARGUMENT with the official
 * texts: unknown or system attribute, a value that is not of its type, a limit above.
 */
enum temporal_code search_attributes_check(const struct search_attributes *attributes,
	const char *name_space, const Common__SearchAttributes *values, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * The value for a column, in the form match.h wants. `name` is for the message. INVALID_ARGUMENT,
 * NO_MEMORY. It lies in the arena, or in the payload.
 */
enum temporal_code search_attribute_decode(struct arena *arena, const char *name,
	const struct visibility_column *column, const Common__Payload *payload,
	struct visibility_value *out, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * `now` with `changes` applied: what is changed to null or an empty list is gone; what is left says
 * its type in the metadata. Either may be NULL; a first call with (NULL, values) brings values in
 * the form in which they are shown. What is not known any more is left out. The result lies in the
 * arena, payloads included. NULL when memory is out.
 */
Common__SearchAttributes *search_attributes_merge(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *now,
	const Common__SearchAttributes *changes) __attribute__((warn_unused_result));

/*
 * The value of a column among a run's attributes: for match_row.get. VISIBILITY_NULL when it is not
 * there, or does not decode.
 */
struct visibility_value search_attributes_get(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *values,
	const struct visibility_column *column);

#endif
