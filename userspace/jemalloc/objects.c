// SPDX-License-Identifier: MIT
/*
 * The shared objects of this process: which one is jemalloc, and which functions
 * this library has replaced.
 *
 * dlsym() cannot be used. If it finds nothing it allocates an error message, and
 * this code runs while jemalloc, or another allocator, is being set up. So the
 * symbol tables are read here, in the order in which the dynamic linker searches
 * them.
 */
#include <link.h>
#include <stddef.h>
#include <string.h>

#include "objects.h"

typedef ElfW(Sym) elf_symbol;
typedef ElfW(Dyn) elf_dynamic;
typedef ElfW(Phdr) elf_segment;

/**
 * struct symbols - dynamic symbols of an object
 * @base:  address that the object was loaded at
 * @table: symbols
 * @names: their names
 * @hash:  hash table of symbols, DT_GNU_HASH; may be NULL: there is none
 */
struct symbols {
	uintptr_t base;
	const elf_symbol *table;
	const char *names;
	const uint32_t *hash;
};

/**
 * struct search - search for a symbol in one object after another
 * @name:   name of the symbol
 * @after:  only objects after this library count
 * @passed: this library has been passed
 * @found:  result
 */
struct search {
	const char *name;
	bool after;
	bool passed;
	struct object found;
};

/* Some dynamic linkers add the base to the table in place, others do not. */
static uintptr_t absolute(const struct dl_phdr_info *info, uintptr_t addr)
{
	return addr < info->dlpi_addr ? info->dlpi_addr + addr : addr;
}

static bool read_symbols(const struct dl_phdr_info *info,
			 const elf_dynamic *dynamic, struct symbols *symbols)
{
	*symbols = (struct symbols) { .base = info->dlpi_addr };
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t addr = absolute(info, dynamic->d_un.d_ptr);

		if (dynamic->d_tag == DT_SYMTAB)
			symbols->table = (const elf_symbol *)addr;
		else if (dynamic->d_tag == DT_STRTAB)
			symbols->names = (const char *)addr;
		else if (dynamic->d_tag == DT_GNU_HASH)
			symbols->hash = (const uint32_t *)addr;
	}
	return symbols->table && symbols->names && symbols->hash;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/*
 * Return the address of a symbol, or 0. The hash table consists of a head of four
 * numbers (buckets, first symbol in the table, words of a filter, shift of the
 * filter); the filter, which is not used here; the buckets, each the first symbol
 * of a chain; and the hash of each symbol, with the lowest bit set at the end of
 * a chain.
 */
static uintptr_t look_up(const struct symbols *symbols, const char *name)
{
	const uint32_t *head = symbols->hash;
	const uint32_t *buckets = head + 4 +
				  head[2] * (sizeof(uintptr_t) / 4);
	const uint32_t *hashes = buckets + head[0];
	uint32_t hash = gnu_hash(name);
	uint32_t i = head[0] ? buckets[hash % head[0]] : 0;

	if (i < head[1])
		return 0;
	for (;; i++) {
		const elf_symbol *symbol = &symbols->table[i];
		uint32_t got = hashes[i - head[1]];

		if ((got | 1) == (hash | 1) &&
		    !strcmp(symbols->names + symbol->st_name, name))
			return symbols->base + symbol->st_value;
		if (got & 1)
			return 0;
	}
}

/* Is this object the library that this code is in? */
static bool is_ours(const struct dl_phdr_info *info)
{
	uintptr_t here = (uintptr_t)&object_find - info->dlpi_addr;

	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const elf_segment *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_LOAD && here >= header->p_vaddr &&
		    here - header->p_vaddr < header->p_memsz)
			return true;
	}
	return false;
}

static void note_code(const struct dl_phdr_info *info, struct object *object)
{
	object->start = UINTPTR_MAX;
	object->end = 0;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const elf_segment *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		if (start < object->start)
			object->start = start;
		if (start + header->p_memsz > object->end)
			object->end = start + header->p_memsz;
	}
}

static uintptr_t find_in(const struct dl_phdr_info *info, const char *name)
{
	struct symbols symbols;

	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const elf_segment *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_DYNAMIC &&
		    read_symbols(info, (const void *)(info->dlpi_addr +
						      header->p_vaddr),
				 &symbols))
			return look_up(&symbols, name);
	}
	return 0;
}

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	bool ours = is_ours(info);
	uintptr_t symbol;

	(void)size;
	search->passed |= ours;
	if (search->after && (ours || !search->passed))
		return 0;
	symbol = find_in(info, search->name);
	if (!symbol)
		return 0;
	search->found.symbol = symbol;
	search->found.ours = ours;
	search->found.program = !*info->dlpi_name;
	note_code(info, &search->found);
	return 1;
}

/**
 * object_find() - find the object that defines a symbol for the program
 * @name:   name of the symbol
 * @object: set to the object
 *
 * Context: takes locks of the dynamic linker, so no thread that holds them may wait
 * for the caller.
 * Return: whether an object defines it.
 */
bool object_find(const char *name, struct object *object)
{
	struct search search = { .name = name };

	dl_iterate_phdr(visit, &search);
	*object = search.found;
	return object->symbol;
}

/**
 * object_find_after() - find the definition that this library has replaced
 * @name: name of a symbol that this library defines
 *
 * Context: as for object_find().
 * Return: the address of the next definition, or 0 if there is none.
 */
uintptr_t object_find_after(const char *name)
{
	struct search search = { .name = name, .after = true };

	dl_iterate_phdr(visit, &search);
	return search.found.symbol;
}
