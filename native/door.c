/* The six callbacks of OrthancPluginRegisterWebDavCollection(), as the core calls them.

   Each sets its answer before anything else (the core leaves it uninitialised), and none enters Python before it has
   started or once Orthanc is stopping. In store, create and delete the core takes a non-zero "isReadOnly" as done and 0
   as refused (403): the opposite of the SDK's documentation (OrthancPlugins.cpp, WebDavCollection), so it is called `done`
   here. */

#include "davfs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Declared by cffi next to its generated code, attached by davfs.sdk.callbacks. */
int davfs_is_folder(uint32_t, const char* const*, uint8_t*);
int davfs_list_folder(uint32_t, const char* const*, uint8_t*, OrthancPluginWebDavCollection*,
                      OrthancPluginWebDavAddFile, OrthancPluginWebDavAddFolder);
int davfs_read_file(uint32_t, const char* const*, OrthancPluginWebDavCollection*, OrthancPluginWebDavRetrieveFile);
int davfs_write_file(uint32_t, const char* const*, uint8_t*, const void*, uint64_t);
int davfs_make_folder(uint32_t, const char* const*, uint8_t*);
int davfs_delete_item(uint32_t, const char* const*, uint8_t*);

static atomic_int closed = 1;

/* A callback on its way to Python: what the core gave, each where its callback has it. */
typedef struct callback
{
  int (*answer)(const struct callback*);
  davfs_request request;
  uint32_t depth;
  const char* const* path;
  uint8_t* result;
  OrthancPluginWebDavCollection* collection;
  OrthancPluginWebDavAddFile add_file;
  OrthancPluginWebDavAddFolder add_folder;
  OrthancPluginWebDavRetrieveFile retrieve;
  const void* data;
  uint64_t size;
  char* listing; /* of is_folder: what Python has handed over, and its size */
  size_t listed;
} callback;

/* The callback that this companion answers. */
static _Thread_local callback* answered = NULL;

static int answer(const void* argument)
{
  callback* each = (callback*) argument;
  davfs_note_request(&each->request);
  answered = each;
  int code = each->answer(each);
  answered = NULL;
  return code;
}

void davfs_hand_over(const char* packed, size_t size)
{
  if (answered == NULL || answered->listing != NULL || (answered->listing = malloc(size + 1)) == NULL)
  {
    return; /* Python will be asked once more */
  }
  memcpy(answered->listing, packed, size);
  answered->listed = size;
}

/* Lets Python answer, on the companion of this thread, unless the door is closed (503). */
static OrthancPluginErrorCode cross(callback* each)
{
  if (atomic_load(&closed))
  {
    return OrthancPluginErrorCode_DatabaseUnavailable;
  }
  each->request = davfs_take_request();
  return (OrthancPluginErrorCode) davfs_on_companion(answer, each);
}

static int answer_is_folder(const callback* each)
{
  return davfs_is_folder(each->depth, each->path, each->result);
}

static int answer_list_folder(const callback* each)
{
  return davfs_list_folder(each->depth, each->path, each->result, each->collection, each->add_file, each->add_folder);
}

static int answer_read_file(const callback* each)
{
  return davfs_read_file(each->depth, each->path, each->collection, each->retrieve);
}

static int answer_write_file(const callback* each)
{
  return davfs_write_file(each->depth, each->path, each->result, each->data, each->size);
}

static int answer_make_folder(const callback* each)
{
  return davfs_make_folder(each->depth, each->path, each->result);
}

static int answer_delete_item(const callback* each)
{
  return davfs_delete_item(each->depth, each->path, each->result);
}

/* This thread was just told that a path is no folder. A PROPFIND on a file asks that, and then for the file; GET never
   asks. Python answers what may be a PROPFIND, for it can do that without reading the file. */
static _Thread_local int asked = 0;

static OrthancPluginErrorCode is_folder(uint8_t* exists, uint32_t depth, const char* const* path, void* payload)
{
  callback each = {.answer = answer_is_folder, .depth = depth, .path = path, .result = exists};
  (void) payload;
  *exists = 0;
  davfs_drop_listing();
  OrthancPluginErrorCode code = cross(&each);
  asked = code == OrthancPluginErrorCode_Success && !*exists;
  if (each.listing != NULL && code == OrthancPluginErrorCode_Success && *exists)
  {
    davfs_keep_listing(depth, path, each.listing, each.listed);
  }
  free(each.listing);
  return code;
}

static OrthancPluginErrorCode list_folder(uint8_t* exists, OrthancPluginWebDavCollection* collection,
                                          OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder,
                                          uint32_t depth, const char* const* path, void* payload)
{
  callback each = {.answer = answer_list_folder, .depth = depth, .path = path, .result = exists,
                   .collection = collection, .add_file = add_file, .add_folder = add_folder};
  davfs_request request = davfs_take_request();
  (void) payload;
  *exists = 0;
  /* The filter's note is gone where is_folder took it, in this very request. */
  if (!request.has_depth && !atomic_load(&closed) &&
      davfs_add_kept_listing(depth, path, collection, add_file, add_folder))
  {
    *exists = 1;
    return OrthancPluginErrorCode_Success;
  }
  davfs_note_request(&request);
  return cross(&each);
}

static OrthancPluginErrorCode read_file(OrthancPluginWebDavCollection* collection,
                                        OrthancPluginWebDavRetrieveFile retrieve, uint32_t depth,
                                        const char* const* path, void* payload)
{
  callback each = {.answer = answer_read_file, .depth = depth, .path = path, .collection = collection,
                   .retrieve = retrieve};
  int may_be_propfind = asked;
  (void) payload;
  asked = 0;
  int code = may_be_propfind || atomic_load(&closed) ? -1 : davfs_send_recent(depth, path, collection, retrieve);
  return code >= 0 ? (OrthancPluginErrorCode) code : cross(&each);
}

static OrthancPluginErrorCode write_file(uint8_t* done, uint32_t depth, const char* const* path, const void* data,
                                         uint64_t size, void* payload)
{
  callback each = {.answer = answer_write_file, .depth = depth, .path = path, .result = done, .data = data,
                   .size = size};
  (void) payload;
  *done = 0;
  return cross(&each);
}

static OrthancPluginErrorCode make_folder(uint8_t* done, uint32_t depth, const char* const* path, void* payload)
{
  callback each = {.answer = answer_make_folder, .depth = depth, .path = path, .result = done};
  (void) payload;
  *done = 0;
  return cross(&each);
}

static OrthancPluginErrorCode delete_item(uint8_t* done, uint32_t depth, const char* const* path, void* payload)
{
  callback each = {.answer = answer_delete_item, .depth = depth, .path = path, .result = done};
  (void) payload;
  *done = 0;
  return cross(&each);
}

static int register_at(const char* uri)
{
  return (int) OrthancPluginRegisterWebDavCollection(davfs_context, uri, is_folder, list_folder, read_file, write_file,
                                                     make_folder, delete_item, NULL);
}

int davfs_build_door(const char* outer, const char* inner)
{
  davfs_watch_requests(outer);
  /* The outer collection answers everything; the inner one is there for OPTIONS, which the core answers on the exact
     root of a collection only. */
  int code = register_at(outer);
  return code != 0 ? code : register_at(inner);
}

void davfs_open_door(void)
{
  atomic_store(&closed, 0);
}

void davfs_close_door(void)
{
  atomic_store(&closed, 1);
}
