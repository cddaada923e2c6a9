/*
 * The switch for x86-64 (System V): the six registers that a callee must save go on the stack that is left, the stack
 * pointer changes, and they come back from the other stack. The return is a pop and a jump, since the processor would
 * mispredict a `ret` to another place than the last call's. Control words of SSE and x87 are left alone: no code between
 * two switches may change the rounding.
 *
 * Not marked as SHSTK (the shadow stack is not switched): the linker then leaves it off for the whole program. Entries
 * begin with endbr64 and the jump is `notrack`, so that branch tracking could be on.
 */
#if defined(__x86_64__) && !defined(CO_UCONTEXT)
	.text
	.globl	co_switch
	.hidden	co_switch
	.type	co_switch, @function
	.p2align 4
/* void co_switch(co_point *from, co_point to) */
co_switch:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	popq	%r14
	.cfi_adjust_cfa_offset -8
	popq	%r13
	.cfi_adjust_cfa_offset -8
	popq	%r12
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	notrack jmp	*%rcx
	.cfi_endproc
	.size	co_switch, . - co_switch

	.globl	co_start
	.hidden	co_start
	.type	co_start, @function
	.p2align 4
/*
 * Where the first switch to a stack arrives: entry in r12, its argument in r13. The word above is 0: as a return address
 * and in rbp it ends a debugger's walk.
 */
co_start:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	co_start, . - co_start
#endif
	.section .note.GNU-stack, "", @progbits
