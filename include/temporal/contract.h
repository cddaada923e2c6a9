/*
 * contract.h: the macros that write contracts. Included by types.h; C only.
 *
 * A definition X has its arguments `struct X_in`, its result `X_out`, and its contract `X`, a
 * constant that says how the two travel:
 *
 *	struct charge_card_in { const char *card; double amount; };
 *	typedef const char *charge_card_out;
 *	TEMPORAL_ACTIVITY_CONTRACT(charge_card, "ChargeCard", card, amount);
 *
 * After the name on the wire comes one item for each member of the struct, in the order of the
 * members, which is the order of the arguments:
 *
 *	m                            bool, an integer, float, double, const char *,
 *	                             struct temporal_bytes or struct temporal_payload; any other
 *	                             type is an error
 *	OPTIONAL(m)                  a const char *, or a pointer to one of the others; NULL: absent
 *	ARRAY(m, n_m, type)          a pointer to `n_m` (a member of type size_t) values of the
 *	                             type: double, const char *, struct line, ...
 *	RECORD(m, struct line)       a struct that TEMPORAL_RECORD(line, ...) has described
 *	MESSAGE(m, Type, prefix)     a pointer to a protobuf-c message, whose descriptor is
 *	                             prefix__descriptor
 *	OPTIONAL(RECORD(m, struct line)), OPTIONAL(MESSAGE(m, Type, prefix))
 *	                             pointers; NULL: absent
 *	NAMED(item, "wire")          any of these under another name on the wire than the member's
 *
 * The result X_out is a typedef of one of the simple types, or of void: no result. Any other is
 * told by one more item:
 *
 *	RETURNS(struct line)            typedef struct line X_out
 *	RETURNS(ARRAY(m, n_m, type))    typedef struct list X_out, a struct with these two members
 *	RETURNS(MESSAGE(Type, prefix))  typedef const Type *X_out
 *	RETURNS(OPTIONAL(type))         typedef const type *X_out (for strings: const char *);
 *	                                NULL: none
 *
 * The items' names (OPTIONAL, ARRAY, ...) mean something here alone and are no macros. A contract,
 * record or list has at most 32 items. Mistakes of type and name are errors under any flags.
 */
#ifndef TEMPORAL_CONTRACT_H
#define TEMPORAL_CONTRACT_H

#ifndef __cplusplus

/* The contract of a definition with arguments: (X, "name on the wire", items...). */
#define TEMPORAL_ACTIVITY_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_( \
		X_, TEMPORAL_DEFINES_ACTIVITY, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_WORKFLOW_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_( \
		X_, TEMPORAL_DEFINES_WORKFLOW, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_SIGNAL_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_(X_, TEMPORAL_DEFINES_SIGNAL, TEMPORAL_OUT_NONE_, __VA_ARGS__)
#define TEMPORAL_QUERY_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_( \
		X_, TEMPORAL_DEFINES_QUERY, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_UPDATE_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_( \
		X_, TEMPORAL_DEFINES_UPDATE, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_NEXUS_CONTRACT(X_, ...) \
	TEMPORAL_CONTRACT_(X_, TEMPORAL_DEFINES_NEXUS_OPERATION, \
		TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)

/*
 * The same without arguments, for which there is no struct X_in: (X, "name") or (X, "name",
 * RETURNS(...)).
 */
#define TEMPORAL_ACTIVITY_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_( \
		X_, TEMPORAL_DEFINES_ACTIVITY, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_WORKFLOW_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_( \
		X_, TEMPORAL_DEFINES_WORKFLOW, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_SIGNAL_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_(X_, TEMPORAL_DEFINES_SIGNAL, TEMPORAL_OUT_NONE_, __VA_ARGS__)
#define TEMPORAL_QUERY_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_( \
		X_, TEMPORAL_DEFINES_QUERY, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_UPDATE_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_( \
		X_, TEMPORAL_DEFINES_UPDATE, TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)
#define TEMPORAL_NEXUS_CONTRACT_0(X_, ...) \
	TEMPORAL_CONTRACT_0_(X_, TEMPORAL_DEFINES_NEXUS_OPERATION, \
		TEMPORAL_OUT_(X_##_out, __VA_ARGS__), __VA_ARGS__)

/*
 * A Nexus service S for both sides: (S, "name on the wire", &operation, ...), with the contracts of
 * its operations.
 */
#define TEMPORAL_NEXUS_SERVICE_CONTRACT(S_, name_, ...) \
	_Static_assert(sizeof("" name_) > 1, #S_ ": the name is empty"); \
	__attribute__((unused)) static const struct temporal_contract *const S_##_contracts_[] = { \
		__VA_ARGS__, NULL \
	}; \
	__attribute__((unused)) static const struct temporal_nexus_contract S_ = { "" name_, \
		S_##_contracts_ }

/* How `struct T` travels, as a JSON object: (T, items...). A record cannot contain itself. */
#define TEMPORAL_RECORD(T_, ...) \
	TEMPORAL_MEMBERS_(struct T_, T_##_record_members_, __VA_ARGS__); \
	__attribute__((unused)) static const struct temporal_field T_##_record_fields_[] = { \
		TEMPORAL_EACH_(TEMPORAL_FIELD_, struct T_, __VA_ARGS__){ .name = NULL } \
	}; \
	__attribute__((unused)) static const struct temporal_type T_##_record = { \
		sizeof(struct T_), T_##_record_fields_, \
		sizeof(T_##_record_fields_) / sizeof(T_##_record_fields_[0]) - 1 \
	}

/*
 * ---- for the macros of activity.h, workflow.h and client.h ----
 */

/* It knows neither _Generic nor tables of macros: */
/* clang-format off */

/* The arguments of a call, written as designated initializers: a const struct X_in *. */
#define TEMPORAL_ARGUMENTS_(X_, ...) (&(const struct X_##_in){ __VA_ARGS__ })

/*
 * The value of a result of X that lies at `p_` (a const void *): an expression of type X_out, void
 * included.
 */
#define TEMPORAL_RESULT_(X_, p_) \
	_Generic((X_##_out *)0, void *: (void)(p_), \
		default: *_Generic((X_##_out *)0, void *: (const char *)0, \
			default: (const X_##_out *)(p_)))

/*
 * Calls a function that returns X_out and stores what it returns at `p_` (a void *); for void it
 * stores nothing.
 */
#define TEMPORAL_STORE_RESULT_(X_, p_, call_) \
	do { \
		char none_; \
		*_Generic((X_##_out *)0, void *: &none_, default: (X_##_out *)(p_)) = \
			_Generic((X_##_out *)0, void *: ((call_), (char)0), default: (call_)); \
		(void)none_; \
	} while (0)

/* Has the function exactly that type? A pointer type, to compare with &function. */
#define TEMPORAL_IS_(function_, type_) _Generic(&(function_), type_: 1, default: 0)

/* An expression that is 0, if the constant condition holds; else an error with that message. */
#define TEMPORAL_CHECK_(condition_, message_) \
	(0 * sizeof(struct { \
		_Static_assert(condition_, message_); \
		char none_; \
	}))

/*
 * The contract X (a const struct temporal_contract *), which must define one of these: ACTIVITY,
 * WORKFLOW, ...
 */
#define TEMPORAL_CONTRACT_OF_(X_, definition_) \
	(&X_ + TEMPORAL_CHECK_((int)X_##_defines_ == (int)TEMPORAL_DEFINES_##definition_, \
		       #X_ " is not the contract of a thing of the kind " #definition_))

/*
 * For binding lines: the same as declarations, and that X has arguments (1) or none (0, a ..._0
 * contract).
 */
#define TEMPORAL_CHECK_CONTRACT_(X_, definition_, arguments_) \
	_Static_assert((int)X_##_defines_ == (int)TEMPORAL_DEFINES_##definition_, \
		#X_ " is not the contract of a thing of the kind " #definition_); \
	_Static_assert((int)X_##_has_arguments_ == (arguments_), \
		#X_ ": a contract without arguments (..._0) is bound by a ..._0 macro, any other " \
		    "by one without")

/* `p_` where it is a pointer to the type (const or not) or NULL; anything else is an error. */
#define TEMPORAL_POINTER_(p_, type_) \
	_Generic((p_), const type_ *: (p_), type_ *: (p_), void *: (p_))

/* `p_` where it is an X_out *, or NULL: where a result of X is to be stored. */
#define TEMPORAL_OUT_POINTER_(X_, p_) \
	((void)TEMPORAL_CHECK_(_Generic((p_), X_##_out *: 1, \
			default: _Generic((p_), void *: 1, default: 0)), \
		"the result is stored where a pointer to " #X_ "_out points"), (p_))

/* ---- how it works: nothing below is for use elsewhere ---- */

/*
 * The kind of a simple value by a pointer to it, so that an array does not decay and an unknown
 * type has no match.
 */
#define TEMPORAL_KIND_(p_, more_) \
	_Generic((p_), bool *: TEMPORAL_KIND_BOOL, \
		signed char *: TEMPORAL_KIND_INT, short *: TEMPORAL_KIND_INT, \
		int *: TEMPORAL_KIND_INT, long *: TEMPORAL_KIND_INT, \
		long long *: TEMPORAL_KIND_INT, \
		unsigned char *: TEMPORAL_KIND_UINT, unsigned short *: TEMPORAL_KIND_UINT, \
		unsigned int *: TEMPORAL_KIND_UINT, unsigned long *: TEMPORAL_KIND_UINT, \
		unsigned long long *: TEMPORAL_KIND_UINT, \
		float *: TEMPORAL_KIND_FLOAT, double *: TEMPORAL_KIND_FLOAT, \
		const char **: TEMPORAL_KIND_STRING, struct temporal_bytes *: TEMPORAL_KIND_BYTES, \
		struct temporal_payload *: TEMPORAL_KIND_PAYLOAD more_)
#define TEMPORAL_OR_VOID_ , void *: TEMPORAL_KIND_VOID

/* The kind and size of what an optional member points to, by a pointer to that member. */
#define TEMPORAL_BOTH_(type_, kind_) const type_ **: kind_, type_ **: kind_
#define TEMPORAL_OPTIONAL_KIND_(p_) \
	_Generic((p_), TEMPORAL_BOTH_(bool, TEMPORAL_KIND_BOOL), \
		TEMPORAL_BOTH_(signed char, TEMPORAL_KIND_INT), \
		TEMPORAL_BOTH_(short, TEMPORAL_KIND_INT), \
		TEMPORAL_BOTH_(int, TEMPORAL_KIND_INT), TEMPORAL_BOTH_(long, TEMPORAL_KIND_INT), \
		TEMPORAL_BOTH_(long long, TEMPORAL_KIND_INT), \
		TEMPORAL_BOTH_(unsigned char, TEMPORAL_KIND_UINT), \
		TEMPORAL_BOTH_(unsigned short, TEMPORAL_KIND_UINT), \
		TEMPORAL_BOTH_(unsigned int, TEMPORAL_KIND_UINT), \
		TEMPORAL_BOTH_(unsigned long, TEMPORAL_KIND_UINT), \
		TEMPORAL_BOTH_(unsigned long long, TEMPORAL_KIND_UINT), \
		TEMPORAL_BOTH_(float, TEMPORAL_KIND_FLOAT), \
		TEMPORAL_BOTH_(double, TEMPORAL_KIND_FLOAT), \
		const char **: TEMPORAL_KIND_STRING, \
		TEMPORAL_BOTH_(struct temporal_bytes, TEMPORAL_KIND_BYTES), \
		TEMPORAL_BOTH_(struct temporal_payload, TEMPORAL_KIND_PAYLOAD))
#define TEMPORAL_OPTIONAL_SIZE_(p_) sizeof(*_Generic((p_), const char **: (p_), default: *(p_)))

/*
 * An item becomes a tuple (KIND, arguments...). Pasted behind TEMPORAL_ITEM_, an item with
 * parentheses calls one of these macros, which put the tuple in second place; any other item is a
 * single token that stays in first place, and the (PLAIN, m) that waits behind it is taken.
 */
#define TEMPORAL_ITEM_OPTIONAL(...)      ~, (OPTIONAL, __VA_ARGS__)
#define TEMPORAL_ITEM_ARRAY(...)         ~, (ARRAY, __VA_ARGS__)
#define TEMPORAL_ITEM_RECORD(...)        ~, (RECORD, __VA_ARGS__)
#define TEMPORAL_ITEM_MESSAGE(...)       ~, (MESSAGE, __VA_ARGS__)
#define TEMPORAL_ITEM_NAMED(...)         ~, (NAMED, __VA_ARGS__)
#define TEMPORAL_ITEM_RETURNS(...)       ~, (RETURNS, __VA_ARGS__)
#define TEMPORAL_ITEM_NONE_              ~, (NONE_, ~)
#define TEMPORAL_SECOND_(...)            TEMPORAL_SECOND_IS_(__VA_ARGS__, ~, ~)
#define TEMPORAL_SECOND_IS_(a_, b_, ...) b_
#define TEMPORAL_FIRST_(...)             TEMPORAL_FIRST_IS_(__VA_ARGS__, ~)
#define TEMPORAL_FIRST_IS_(a_, ...)      a_
#define TEMPORAL_TUPLE_(item_)           TEMPORAL_SECOND_(TEMPORAL_ITEM_##item_, (PLAIN, item_))

/*
 * prefix_KIND(T, arguments...), where the tuple is (KIND, arguments...). A macro does not expand in
 * its own expansion: the second set is for the item inside of an OPTIONAL, the third for that of a
 * NAMED.
 */
#define TEMPORAL_APPLY_(prefix_, T_, tuple_) \
	TEMPORAL_APPLY_1_(prefix_, T_, TEMPORAL_UNWRAP_ tuple_)
#define TEMPORAL_APPLY_1_(prefix_, T_, ...)        TEMPORAL_APPLY_2_(prefix_, T_, __VA_ARGS__)
#define TEMPORAL_APPLY_2_(prefix_, T_, kind_, ...) prefix_##kind_(T_, __VA_ARGS__)
#define TEMPORAL_AGAIN_(prefix_, T_, tuple_) \
	TEMPORAL_AGAIN_1_(prefix_, T_, TEMPORAL_UNWRAP_ tuple_)
#define TEMPORAL_AGAIN_1_(prefix_, T_, ...)        TEMPORAL_AGAIN_2_(prefix_, T_, __VA_ARGS__)
#define TEMPORAL_AGAIN_2_(prefix_, T_, kind_, ...) prefix_##kind_(T_, __VA_ARGS__)
#define TEMPORAL_NAMED_(prefix_, T_, tuple_) \
	TEMPORAL_NAMED_1_(prefix_, T_, TEMPORAL_UNWRAP_ tuple_)
#define TEMPORAL_NAMED_1_(prefix_, T_, ...)        TEMPORAL_NAMED_2_(prefix_, T_, __VA_ARGS__)
#define TEMPORAL_NAMED_2_(prefix_, T_, kind_, ...) prefix_##kind_(T_, __VA_ARGS__)
#define TEMPORAL_UNWRAP_(...)                      __VA_ARGS__

/*
 * First pass: the members, once more, as a struct of our own. A member that is listed twice is
 * there twice, which is an error, and one that is forgotten or not in its place makes the sizes
 * differ.
 */
#define TEMPORAL_MEMBERS_(T_, name_, ...) \
	struct name_ { \
		TEMPORAL_EACH_(TEMPORAL_MEMBER_, T_, __VA_ARGS__) \
	}; \
	_Static_assert(sizeof(struct name_) == sizeof(T_), \
		#T_ ": list each member, in the order of the struct")
#define TEMPORAL_MEMBER_(T_, item_) \
	TEMPORAL_APPLY_(TEMPORAL_MEMBER_, T_, TEMPORAL_TUPLE_(item_))
#define TEMPORAL_MEMBER_PLAIN(T_, m_)                   __typeof__(((T_ *)0)->m_) m_;
#define TEMPORAL_MEMBER_RECORD(T_, m_, type_)           TEMPORAL_MEMBER_PLAIN(T_, m_)
#define TEMPORAL_MEMBER_MESSAGE(T_, m_, type_, prefix_) TEMPORAL_MEMBER_PLAIN(T_, m_)
#define TEMPORAL_MEMBER_ARRAY(T_, m_, n_, type_) \
	TEMPORAL_MEMBER_PLAIN(T_, m_) TEMPORAL_MEMBER_PLAIN(T_, n_)
#define TEMPORAL_MEMBER_OPTIONAL(T_, item_) \
	TEMPORAL_AGAIN_(TEMPORAL_MEMBER_, T_, TEMPORAL_TUPLE_(item_))
#define TEMPORAL_MEMBER_NAMED(T_, item_, wire_) \
	TEMPORAL_NAMED_(TEMPORAL_MEMBER_, T_, TEMPORAL_TUPLE_(item_))
#define TEMPORAL_MEMBER_RETURNS(T_, ...)
#define TEMPORAL_MEMBER_NONE_(T_, ...)

/* Second pass: the fields. */
#define TEMPORAL_FIELD_(T_, item_) \
	TEMPORAL_APPLY_(TEMPORAL_FIELD_, T_, TEMPORAL_TUPLE_(item_))
#define TEMPORAL_FIELD_PLAIN(T_, m_)         { .name = #m_, TEMPORAL_BODY_PLAIN(T_, m_) },
#define TEMPORAL_FIELD_RECORD(T_, m_, type_) { .name = #m_, TEMPORAL_BODY_RECORD(T_, m_, type_) },
#define TEMPORAL_FIELD_MESSAGE(T_, m_, type_, prefix_) \
	{ .name = #m_, TEMPORAL_BODY_MESSAGE(T_, m_, type_, prefix_) },
#define TEMPORAL_FIELD_ARRAY(T_, m_, n_, type_) \
	{ .name = #m_, TEMPORAL_BODY_ARRAY(T_, m_, n_, type_) },
#define TEMPORAL_FIELD_OPTIONAL(T_, item_) \
	{ .name = TEMPORAL_AGAIN_(TEMPORAL_NAME_, T_, TEMPORAL_TUPLE_(item_)), \
		TEMPORAL_BODY_OPTIONAL(T_, item_) },
#define TEMPORAL_FIELD_NAMED(T_, item_, wire_) \
	{ .name = "" wire_, TEMPORAL_NAMED_(TEMPORAL_BODY_, T_, TEMPORAL_TUPLE_(item_)) },
#define TEMPORAL_FIELD_RETURNS(T_, ...)
#define TEMPORAL_FIELD_NONE_(T_, ...)

#define TEMPORAL_NAME_PLAIN(T_, m_)                   #m_
#define TEMPORAL_NAME_RECORD(T_, m_, type_)           #m_
#define TEMPORAL_NAME_MESSAGE(T_, m_, type_, prefix_) #m_

#define TEMPORAL_BODY_PLAIN(T_, m_) \
	.offset = offsetof(T_, m_), .kind = TEMPORAL_KIND_(&((T_ *)0)->m_, ), \
	.size = sizeof(((T_ *)0)->m_)
#define TEMPORAL_BODY_RECORD(T_, m_, type_) \
	.offset = _Generic(&((T_ *)0)->m_, type_ * \
			   : offsetof(T_, m_)), \
	.kind = TEMPORAL_KIND_RECORD, .size = sizeof(type_), .type = TEMPORAL_TYPE_OF_(type_)
#define TEMPORAL_BODY_MESSAGE(T_, m_, type_, prefix_) \
	.offset = _Generic(&((T_ *)0)->m_, const type_ **: offsetof(T_, m_), \
		type_ **: offsetof(T_, m_)), \
	TEMPORAL_MESSAGE_(type_, prefix_)
#define TEMPORAL_BODY_ARRAY(T_, m_, n_, type_) \
	.offset = _Generic(&((T_ *)0)->m_, type_ const **: offsetof(T_, m_), \
		type_ **: offsetof(T_, m_)), \
	.count_offset = _Generic(&((T_ *)0)->n_, size_t *: offsetof(T_, n_)), \
	.shape = TEMPORAL_SHAPE_ARRAY, TEMPORAL_ELEMENT_(type_)
#define TEMPORAL_BODY_OPTIONAL(T_, item_) \
	TEMPORAL_AGAIN_(TEMPORAL_MAYBE_, T_, TEMPORAL_TUPLE_(item_)), \
		.shape = TEMPORAL_SHAPE_OPTIONAL

#define TEMPORAL_MAYBE_PLAIN(T_, m_) \
	.offset = offsetof(T_, m_), .kind = TEMPORAL_OPTIONAL_KIND_(&((T_ *)0)->m_), \
	.size = TEMPORAL_OPTIONAL_SIZE_(&((T_ *)0)->m_)
#define TEMPORAL_MAYBE_RECORD(T_, m_, type_) \
	.offset = _Generic(&((T_ *)0)->m_, const type_ **: offsetof(T_, m_), \
		type_ **: offsetof(T_, m_)), \
	.kind = TEMPORAL_KIND_RECORD, .size = sizeof(type_), .type = TEMPORAL_TYPE_OF_(type_)
#define TEMPORAL_MAYBE_MESSAGE(T_, m_, type_, prefix_) TEMPORAL_BODY_MESSAGE(T_, m_, type_, prefix_)

/* Kind, size and descriptor of a message: its first member is protobuf-c's ProtobufCMessage. */
#define TEMPORAL_MESSAGE_(type_, prefix_) \
	.kind = _Generic(&((type_ *)0)->base, ProtobufCMessage * \
			 : TEMPORAL_KIND_MESSAGE), \
	.size = sizeof(type_), .message = &prefix_##__descriptor

/*
 * A type that is written out: `struct line` is a record, whose description is found by pasting;
 * the structs of types.h and all that does not begin with `struct` are simple.
 */
#define TEMPORAL_TYPE_struct                             ~, RECORD,
#define TEMPORAL_STRUCT_temporal_bytes                   ~, SIMPLE
#define TEMPORAL_STRUCT_temporal_payload                 ~, SIMPLE
#define TEMPORAL_TYPE_OF_(type_) \
	TEMPORAL_TYPE_OF_1_(TEMPORAL_TYPE_##type_, ~, ~)
#define TEMPORAL_TYPE_OF_1_(...)                         TEMPORAL_TYPE_OF_2_(__VA_ARGS__)
#define TEMPORAL_TYPE_OF_2_(a_, b_, tag_, ...)           &tag_##_record
#define TEMPORAL_ELEMENT_(type_) \
	TEMPORAL_ELEMENT_1_(type_, TEMPORAL_TYPE_##type_, SIMPLE, ~, ~)
#define TEMPORAL_ELEMENT_1_(type_, ...)                  TEMPORAL_ELEMENT_2_(type_, __VA_ARGS__)
#define TEMPORAL_ELEMENT_2_(type_, a_, kind_, tag_, ...) TEMPORAL_ELEMENT_##kind_(type_, tag_)
#define TEMPORAL_ELEMENT_SIMPLE(type_, tag_) \
	.kind = TEMPORAL_KIND_((type_ *)0, ), .size = sizeof(type_)
#define TEMPORAL_ELEMENT_RECORD(type_, tag_) \
	TEMPORAL_ELEMENT_3_(type_, tag_, TEMPORAL_SECOND_(TEMPORAL_STRUCT_##tag_, RECORD))
#define TEMPORAL_ELEMENT_3_(type_, tag_, kind_) TEMPORAL_ELEMENT_4_(type_, tag_, kind_)
#define TEMPORAL_ELEMENT_4_(type_, tag_, kind_) TEMPORAL_STRUCT_IS_##kind_(type_, tag_)
#define TEMPORAL_STRUCT_IS_SIMPLE(type_, tag_)  TEMPORAL_ELEMENT_SIMPLE(type_, tag_)
#define TEMPORAL_STRUCT_IS_RECORD(type_, tag_) \
	.kind = TEMPORAL_KIND_RECORD, .size = sizeof(type_), .type = &tag_##_record

/*
 * Third pass: the result. All items but RETURNS(spec) vanish; it becomes a tuple and a comma, and
 * is taken before the (SIMPLE, ~) that stands behind.
 */
#define TEMPORAL_OUT_(O_, ...) \
	TEMPORAL_OUT_1_(O_, TEMPORAL_OUT_ITEMS_(TEMPORAL_ITEMS_(__VA_ARGS__))(SIMPLE, ~))
#define TEMPORAL_OUT_1_(O_, ...) \
	TEMPORAL_APPLY_(TEMPORAL_OUT_, O_, TEMPORAL_FIRST_(__VA_ARGS__))
#define TEMPORAL_OUT_ITEMS_(...)      TEMPORAL_EACH_(TEMPORAL_OUT_ITEM_, ~, __VA_ARGS__)
#define TEMPORAL_OUT_ITEM_(T_, item_) TEMPORAL_APPLY_(TEMPORAL_TAKE_, ~, TEMPORAL_TUPLE_(item_))
#define TEMPORAL_TAKE_PLAIN(T_, ...)
#define TEMPORAL_TAKE_OPTIONAL(T_, ...)
#define TEMPORAL_TAKE_ARRAY(T_, ...)
#define TEMPORAL_TAKE_RECORD(T_, ...)
#define TEMPORAL_TAKE_MESSAGE(T_, ...)
#define TEMPORAL_TAKE_NAMED(T_, ...)
#define TEMPORAL_TAKE_NONE_(T_, ...)
#define TEMPORAL_TAKE_RETURNS(T_, spec_) TEMPORAL_SECOND_(TEMPORAL_ITEM_##spec_, (TYPE, spec_)),

#define TEMPORAL_OUT_NONE_ .out = { .kind = TEMPORAL_KIND_VOID }, .out_size = 0
#define TEMPORAL_OUT_SIMPLE(O_, ...) \
	.out = { .kind = TEMPORAL_KIND_((O_ *)0, TEMPORAL_OR_VOID_), .size = TEMPORAL_SIZE_(O_) }, \
	.out_size = TEMPORAL_SIZE_(O_)
#define TEMPORAL_SIZE_(O_) \
	_Generic((O_ *)0, void *: (size_t)0, \
		default: sizeof(*_Generic((O_ *)0, void *: (char *)0, default: (O_ *)0)))
#define TEMPORAL_OUT_TYPE(O_, type_) \
	.out = { TEMPORAL_ELEMENT_(type_) }, .out_size = _Generic((O_ *)0, type_ *: sizeof(O_))
#define TEMPORAL_OUT_ARRAY(O_, m_, n_, type_) \
	.out = { TEMPORAL_BODY_ARRAY(O_, m_, n_, type_) }, .out_size = sizeof(O_)
#define TEMPORAL_OUT_MESSAGE(O_, type_, prefix_) \
	.out = { TEMPORAL_MESSAGE_(type_, prefix_) }, \
	.out_size = _Generic((O_ *)0, const type_ **: sizeof(O_), type_ **: sizeof(O_))
#define TEMPORAL_OUT_OPTIONAL(O_, type_) \
	.out = { TEMPORAL_ELEMENT_(type_), .shape = TEMPORAL_SHAPE_OPTIONAL }, \
	.out_size = sizeof(O_) + TEMPORAL_CHECK_(TEMPORAL_IS_POINTER_(O_, type_), \
					 #O_ " must be a pointer to const " #type_ \
					     ", or the const char * itself")
#define TEMPORAL_IS_POINTER_(O_, type_) \
	_Generic((type_ *)0, const char **: _Generic((O_ *)0, const char **: 1, default: 0), \
		default: _Generic((O_ *)0, type_ const **: 1, default: 0))

/* The contract itself: the arguments' fields, and the constant. */
#define TEMPORAL_CONTRACT_(X_, definition_, out_, ...) \
	enum { \
		X_##_defines_ = definition_, \
		X_##_has_arguments_ = 1 \
	}; \
	TEMPORAL_MEMBERS_(struct X_##_in, X_##_members_, TEMPORAL_ITEMS_(__VA_ARGS__)); \
	__attribute__((unused)) static const struct temporal_field X_##_fields_[] = { \
		TEMPORAL_EACH_(TEMPORAL_FIELD_, struct X_##_in, TEMPORAL_ITEMS_(__VA_ARGS__)){ \
			.name = NULL } \
	}; \
	_Static_assert(sizeof("" TEMPORAL_FIRST_(__VA_ARGS__)) > 1, #X_ ": the name is empty"); \
	__attribute__((unused)) static const struct temporal_contract X_ = { \
		.name = "" TEMPORAL_FIRST_(__VA_ARGS__), \
		.definition = definition_, \
		.in = { sizeof(struct X_##_in), X_##_fields_, \
			sizeof(X_##_fields_) / sizeof(X_##_fields_[0]) - 1 }, \
		out_ \
	}
#define TEMPORAL_CONTRACT_0_(X_, definition_, out_, ...) \
	enum { \
		X_##_defines_ = definition_, \
		X_##_has_arguments_ = 0 \
	}; \
	struct X_##_members_ { \
		char none_; \
		TEMPORAL_EACH_(TEMPORAL_MEMBER_, struct X_##_in, TEMPORAL_ITEMS_(__VA_ARGS__)) \
	}; \
	_Static_assert( \
		sizeof(struct X_##_members_) == 1, #X_ ": a ..._0 contract has no arguments"); \
	_Static_assert(sizeof("" TEMPORAL_FIRST_(__VA_ARGS__)) > 1, #X_ ": the name is empty"); \
	__attribute__((unused)) static const struct temporal_contract X_ = { \
		.name = "" TEMPORAL_FIRST_(__VA_ARGS__), .definition = definition_, out_ \
	}

/* What follows the name, and NONE_, so that there is always something (which -Wpedantic wants). */
#define TEMPORAL_ITEMS_(...)          TEMPORAL_ITEMS_1_(__VA_ARGS__, NONE_)
#define TEMPORAL_ITEMS_1_(name_, ...) __VA_ARGS__

/* F(T, item) for each item. */
#define TEMPORAL_EACH_(F_, T_, ...) \
	TEMPORAL_EACH_COUNT_(TEMPORAL_COUNT_(__VA_ARGS__), F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_COUNT_(n_, F_, T_, ...)   TEMPORAL_EACH_COUNT_1_(n_, F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_COUNT_1_(n_, F_, T_, ...) TEMPORAL_EACH_##n_(F_, T_, __VA_ARGS__)
#define TEMPORAL_COUNT_(...) \
	TEMPORAL_COUNT_1_(__VA_ARGS__, TOO_MANY, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, \
		21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, ~)
#define TEMPORAL_COUNT_1_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, \
	_17, _18, _19, _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, \
	n_, ...) \
	n_
#define TEMPORAL_EACH_1(F_, T_, a_)       F_(T_, a_)
#define TEMPORAL_EACH_2(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_1(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_3(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_2(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_4(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_3(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_5(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_4(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_6(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_5(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_7(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_6(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_8(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_7(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_9(F_, T_, a_, ...)  F_(T_, a_) TEMPORAL_EACH_8(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_10(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_9(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_11(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_10(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_12(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_11(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_13(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_12(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_14(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_13(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_15(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_14(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_16(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_15(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_17(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_16(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_18(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_17(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_19(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_18(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_20(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_19(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_21(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_20(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_22(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_21(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_23(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_22(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_24(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_23(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_25(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_24(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_26(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_25(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_27(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_26(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_28(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_27(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_29(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_28(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_30(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_29(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_31(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_30(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_32(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_31(F_, T_, __VA_ARGS__)
#define TEMPORAL_EACH_33(F_, T_, a_, ...) F_(T_, a_) TEMPORAL_EACH_32(F_, T_, __VA_ARGS__)

/* clang-format on */

#endif /* not C++ */
#endif
