/* Random input for the plugin's C, and stand-ins for Orthanc and Python. */

#pragma once

#include "davfs.h"

#include <stddef.h>
#include <stdint.h>

/* input.c: the same input for the same seed. Whatever is returned has memory of its own, of exactly its size, so that the
   sanitizer notices one byte too far; release() gives all of it back. */
void seed(uint64_t value);
uint32_t below(uint32_t limit);
void* copied(const void* data, size_t size);
/* Up to `most` pieces of a list that ends with NULL, one after the other; some of them damaged, or any bytes but NUL. */
char* joined(const char* const* pieces, uint32_t most);
/* Any bytes but NUL, up to so many. */
char* bytes(uint32_t most);
void release(void);

/* orthanc.c: the callbacks that the plugin has registered, and those of Orthanc. */
extern OrthancPluginContext fake_core;
extern OrthancPluginIncomingHttpRequestFilter2 registered_filter;
extern OrthancPluginOnChangeCallback registered_change;
extern OrthancPluginOnStoredInstanceCallback registered_stored;
extern _OrthancPluginRegisterWebDavCollection registered_collection;
extern const char* fake_configuration;
extern OrthancPluginIncomingDicomInstanceFilter registered_instance_filter;
extern OrthancPluginIncomingCStoreInstanceFilter registered_c_store_filter;
/* What instances have that callbacks are given. */
typedef struct
{
  const void* data;
  size_t size;
  const char* json; /* and metadata of any name */
  OrthancPluginInstanceOrigin origin;
} fake_instance;
/* Reads all that it is given, as the core does. */
void touch(const void* data, size_t size);
OrthancPluginErrorCode fake_retrieve(OrthancPluginWebDavCollection*, const void*, uint64_t, const char*, const char*);
OrthancPluginErrorCode fake_add_file(OrthancPluginWebDavCollection*, const char*, uint64_t, const char*, const char*);
OrthancPluginErrorCode fake_add_folder(OrthancPluginWebDavCollection*, const char*, const char*);

/* fuzz_identity.c: targets. */
void fuzz_names(void);
void fuzz_scan(void);
void fuzz_identities(void);
void fuzz_quarantine(void);

/* Ends the process if a promise of davfs.h is broken. */
#define PROMISED(condition) ((condition) ? (void) 0 : broken(#condition, __LINE__))
void broken(const char* condition, int line);
