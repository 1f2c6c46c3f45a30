// Entry of a guest that is a domain of the hypervisor layer, which passes it a device tree and
// nothing else: what guests/r82/hypervisor would pass in x1 to x4 is fixed when it is linked.
        .file   "domain.S"
        .section .text.domain, "ax"
        .global domain_entry
domain_entry:
        mov     x1, #DOMAIN_TRESPASS
        ldr     x2, =DOMAIN_ADDRESS
        mov     x3, #DOMAIN_SECOND
        mov     x4, #DOMAIN_SECONDS
        b       _start
