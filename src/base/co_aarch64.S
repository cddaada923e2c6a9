/*
 * The switch for arm64 (AAPCS64): x19 to x30 and the low halves of v8 to v15 are saved on the stack that is left. As on
 * x86-64 the way back is a jump to the saved link register, and FPCR is left alone.
 */
#if defined(__aarch64__) && !defined(CO_UCONTEXT)
	.text
	.globl	co_switch
	.hidden	co_switch
	.type	co_switch, %function
	.p2align 4
/* void co_switch(co_point *from, co_point to) */
co_switch:
	.cfi_startproc
	hint	#34			/* bti c */
	sub	sp, sp, #160
	.cfi_def_cfa_offset 160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	.cfi_offset x29, -80
	.cfi_offset x30, -72
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	mov	x16, x30
	br	x16
	.cfi_endproc
	.size	co_switch, . - co_switch

	.globl	co_start
	.hidden	co_start
	.type	co_start, %function
	.p2align 4
/* Where the first switch to a stack arrives: entry in x19, its argument in x20. Frame and link are 0 for debuggers. */
co_start:
	.cfi_startproc
	.cfi_undefined x30
	hint	#36			/* bti j */
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	co_start, . - co_start
#endif
#if defined(__linux__) && defined(__ELF__)
	.section .note.GNU-stack, "", %progbits
#endif
