obj-y += boot_mem.o heap.o fresh.o page_owner.o page_ref.o xenheap.o static_mem.o slab.o
obj-y += pt.o pt_page.o pt_read.o hyp_map.o vmap.o
obj-y += p2m.o p2m_global.o p2m_map.o p2m_unmap.o p2m_pool.o p2m_populate.o p2m_audit.o p2m_mirror.o
