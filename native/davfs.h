/* The parts of libOrthancDavfs that are C, and why: Orthanc calls them before Python runs (plugin.c, interpreter.c),
   on a thread where Python must not wait (changes.c) or has too small a stack (companion.c), or once for each request or
   entry (request.c, door.c). What calls the core is C++ (core.cc, send.cc), since the core may throw (guarded.hh). */

#pragma once

#include <orthanc/OrthancCPlugin.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Set by OrthancPluginInitialize, never cleared. */
extern OrthancPluginContext* davfs_context;

/* plugin.c: starts Python and opens the door, once all plugins are loaded. Where that fails, the log says why, and Orthanc
   stops. Returns 0, or -1 where an error has to stop it. */
int davfs_start(void);
/* Closes the door, stops Python's threads, and waits for calls into the core that are under way: when it returns, nothing
   of this plugin uses the core any more. Called when Orthanc has stopped, on its main thread. */
void davfs_stop(void);

/* core.cc: calls into the core, from any thread. They return an OrthancPluginErrorCode, or DAVFS_STOPPED where Orthanc is
   stopping. What needs nothing but the plugin's context works until the plugin is finalized, and does nothing then. */
#define DAVFS_STOPPED (-2)
#define DAVFS_ERROR 2
#define DAVFS_WARNING 1
#define DAVFS_INFO 0
void davfs_open_context(void);
/* Returns 1, or 0 where somebody still uses the context after so many milliseconds; as davfs_close_core. */
int davfs_close_context(int milliseconds);
void davfs_open_core(void);
/* Refuses new calls, without waiting for those under way. */
void davfs_refuse_calls(void);
/* Refuses new calls, and waits for those under way. */
int davfs_close_core(int milliseconds);
/* Returns 1 once Orthanc has begun to stop: then POST and DELETE are refused, before it tells plugins. */
int davfs_is_leaving(void);
int davfs_get(OrthancPluginMemoryBuffer* answer, const char* path);
int davfs_post(OrthancPluginMemoryBuffer* answer, const char* path, const void* body, uint32_t size);
int davfs_delete(const char* path);
int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance);
/* Returns a DICOM file, which Orthanc does not have to hold, in another transfer syntax. */
int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax);
void davfs_free(OrthancPluginMemoryBuffer* buffer);
/* NULL for an unknown code. */
const char* davfs_describe(int code);
void davfs_log(int severity, const char* line);

/* check.c: asks the configured Python whether the drive can start with this configuration (JSON) of this path. Returns 0,
   or -1 with one sentence in `reason`. */
int davfs_check(const char* python, const char* configuration, const char* path, char* reason, size_t size);

/* interpreter.c: starts Python, or joins the one that is running, and calls davfs.running.plugin.start().
   Returns 0, or -1 with one sentence in `reason`. */
int davfs_start_python(const char* python, char* reason, size_t size);
/* Calls davfs.running.plugin.stop() where Python still runs, on a thread of its own, since Python's lock may be held for ever.
   Returns 1, or 0 where it has not ended after so many milliseconds. */
int davfs_stop_python(int milliseconds);
/* Defined next to cffi's generated code, where the static cffi_start_python() is. */
int davfs_start_cffi(void);

/* json.c: copies the string at the keys `outer`, `inner` of a JSON object into `value`.
   Returns 1 where it is there, 0 where it is not, -1 where it is no string or does not fit. */
int davfs_json_string(const char* json, const char* outer, const char* inner, char* value, size_t size);

/* request.c: what the request filter saw of the request that this thread serves. */
typedef struct
{
  int has_depth;   /* a Depth header came: PROPFIND, as far as one can know */
  int depth;       /* its value; -1 for anything but 0 and 1 */
  char user[128];  /* name of HTTP Basic, "" for none */
} davfs_request;

void davfs_watch_requests(const char* outer);
/* The record of this thread, which is emptied: a later request that skips the filter must not inherit it. */
davfs_request davfs_take_request(void);
/* Makes it the record of this thread, which goes on with the request of another one. */
void davfs_note_request(const davfs_request* request);

/* Writes who did what to which resource, and what came of it, to Orthanc's log (at --verbose). */
void davfs_audit(const char* user, const char* action, const char* resource, const char* result);

/* changes.c: the queue between Orthanc's change callback and Python. */
typedef struct
{
  int kind;     /* OrthancPluginChangeType, or one of DAVFS_CHANGES_… */
  char id[64];  /* Orthanc's identifier, "" for none */
} davfs_change;

#define DAVFS_CHANGES_LOST (-1)  /* the queue was full: any number is missing */
#define DAVFS_CHANGES_OTHER (-2) /* any number of resources have come or changed */

void davfs_watch_changes(void);
/* Waits for the next deletion or start, oldest first. Returns 1 with a change, 0 where there was none for so many
   milliseconds, or once closed. */
int davfs_next_change(davfs_change* change, int milliseconds);
void davfs_close_changes(void);

/* companion.c: calls a function on a thread with an ordinary stack, the same one for each call of this thread, and waits.
   Returns what it returned, or OrthancPluginErrorCode_DatabaseUnavailable where there can be no such thread. */
int davfs_on_companion(int (*function)(const void*), const void* argument);

/* door.c: registers the six callbacks at both URIs; they answer 503 until the door is opened. Returns 0, or an
   OrthancPluginErrorCode. */
int davfs_build_door(const char* outer, const char* inner);
void davfs_open_door(void);
/* Refuses new callbacks. Those that are running do not end with it, but make no call into the core once that is closed,
   and Orthanc's HTTP server waits for them. */
void davfs_close_door(void);
/* door.c: has the entries of the folder that is asked about kept for the next callback of this request, packed as
   davfs_add_entries() takes them. To be called in answer to is_folder. */
void davfs_hand_over(const char* packed, size_t size);

/* handover.c: keeps one listing for this thread, until it is asked for, dropped, or another one comes. */
void davfs_keep_listing(uint32_t depth, const char* const* path, const char* packed, size_t size);
void davfs_drop_listing(void);
/* Adds what is kept to a listing. Returns 1, or 0 where nothing is kept of this path. */
int davfs_add_kept_listing(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                           OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder);

/* send.cc: adds the entries packed as "D" name NUL date NUL, or "F" name NUL date NUL size NUL mime NUL. Those that the
   core refuses are told to its log. */
void davfs_add_entries(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavAddFile add_file,
                       OrthancPluginWebDavAddFolder add_folder, const char* packed, size_t size);
/* Hand a file, or zeros of its size, to the core. Return an OrthancPluginErrorCode. */
int davfs_send_zeros(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, uint64_t size,
                     const char* mime, const char* date);
int davfs_send(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, const void* data,
               uint64_t size, const char* mime, const char* date);

/* recent.c: the files that were read last. The generation tells whether anything was forgotten since it was taken;
   files are packed as name NUL instance NUL date NUL, and their folder ends with a slash. */
uint64_t davfs_recent_generation(void);
void davfs_forget_recent(void);
void davfs_remember_recent(uint64_t since, const char* folder, const char* packed, size_t size);
/* Sends a file that is remembered. Returns 0, an OrthancPluginErrorCode of the core, or -1 where Python has to answer. */
int davfs_send_recent(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                      OrthancPluginWebDavRetrieveFile retrieve);

#ifdef __cplusplus
}
#endif
