/* The six callbacks of OrthancPluginRegisterWebDavCollection().

   Each sets its result before anything else, since Orthanc leaves it uninitialised, and enters Python only after Python has
   started and before Orthanc stops. In store, create and delete Orthanc takes a non-zero "isReadOnly" as done and 0 as
   refused (403): the opposite of the SDK's documentation (OrthancPlugins.cpp, WebDavCollection), so it is called `done`
   here. */

#include "davfs.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Declared by cffi next to its generated code; defined in davfs/sdk/callbacks.py. */
int davfs_is_folder(davfs_request*);
int davfs_list_folder(davfs_request*);
int davfs_read_file(davfs_request*);
int davfs_write_file(davfs_request*);
int davfs_make_folder(davfs_request*);
int davfs_delete_item(davfs_request*);

static atomic_int closed = 1;

/* Returns the record of this request, with the arguments that all callbacks have. */
static davfs_request* begin(uint32_t segments, const char* const* path, uint8_t* result)
{
  davfs_request* request = davfs_this_request();
  request->segments = segments;
  request->path = path;
  request->result = result;
  if (result != NULL)
  {
    *result = 0;
  }
  return request;
}

/* Forgets what the filter noted: a later request that skips the filter must not inherit it. */
static OrthancPluginErrorCode end(davfs_request* request, int code)
{
  request->user[0] = request->address[0] = request->agent[0] = '\0';
  request->has_depth = 0;
  return (OrthancPluginErrorCode) code;
}

/* Answers with a function of Python; 503 while there is none. */
static OrthancPluginErrorCode call_python(int (*function)(davfs_request*), davfs_request* request)
{
  int is_closed = atomic_load(&closed);
  return end(request, is_closed ? OrthancPluginErrorCode_DatabaseUnavailable : davfs_call_on_python_thread(function, request));
}

static OrthancPluginErrorCode is_folder(uint8_t* exists, uint32_t segments, const char* const* path, void* payload)
{
  davfs_request* request = begin(segments, path, exists);
  free(davfs_take_response(request, 1)); /* of a request that never called for it */
  return call_python(davfs_is_folder, request);
}

static OrthancPluginErrorCode list_folder(uint8_t* exists, OrthancPluginWebDavCollection* collection,
                                          OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder,
                                          uint32_t segments, const char* const* path, void* payload)
{
  davfs_request* request = begin(segments, path, exists);
  davfs_response* kept = davfs_take_response(request, 1);
  request->collection = collection;
  request->add_file = add_file;
  request->add_folder = add_folder;
  if (kept == NULL || atomic_load(&closed))
  {
    free(kept);
    return call_python(davfs_list_folder, request);
  }
  davfs_add_entries(request, kept->bytes, kept->size);
  free(kept);
  *exists = 1;
  return OrthancPluginErrorCode_Success;
}

/* Answers the second callback of a PROPFIND on a file, GET or HEAD. Orthanc always asks for the whole content. Only a PROPFIND
   has called is_folder for this path, with a Depth header, before: no GET is ever answered without the file's bytes. */
static OrthancPluginErrorCode read_file(OrthancPluginWebDavCollection* collection,
                                        OrthancPluginWebDavRetrieveFile retrieve, uint32_t segments,
                                        const char* const* path, void* payload)
{
  davfs_request* request = begin(segments, path, NULL);
  davfs_response* kept = davfs_take_response(request, 0);
  int code = OrthancPluginErrorCode_Success;
  request->collection = collection;
  request->retrieve = retrieve;
  if (atomic_load(&closed) || (kept == NULL && (code = davfs_send_recent(request)) == DAVFS_NOT_RECENT))
  {
    free(kept);
    return call_python(davfs_read_file, request);
  }
  if (kept != NULL)
  {
    code = kept->code != 0 ? kept->code : davfs_send_file_size(request, kept->bytes);
    free(kept);
  }
  return end(request, code);
}

static OrthancPluginErrorCode write_file(uint8_t* done, uint32_t segments, const char* const* path, const void* data,
                                         uint64_t size, void* payload)
{
  davfs_request* request = begin(segments, path, done);
  request->data = data;
  request->size = size;
  return call_python(davfs_write_file, request);
}

static OrthancPluginErrorCode make_folder(uint8_t* done, uint32_t segments, const char* const* path, void* payload)
{
  return call_python(davfs_make_folder, begin(segments, path, done));
}

static OrthancPluginErrorCode delete_item(uint8_t* done, uint32_t segments, const char* const* path, void* payload)
{
  return call_python(davfs_delete_item, begin(segments, path, done));
}

static int register_at(const char* uri)
{
  return (int) OrthancPluginRegisterWebDavCollection(davfs_context, uri, is_folder, list_folder, read_file, write_file,
                                                     make_folder, delete_item, NULL);
}

int davfs_register_callbacks(const char* outer, const char* inner)
{
  davfs_register_filter(outer);
  /* The outer collection answers everything; the inner one is there for OPTIONS, which Orthanc answers on the exact
     root of a collection only. */
  int code = register_at(outer);
  return code != 0 ? code : register_at(inner);
}

void davfs_open_callbacks(void)
{
  atomic_store(&closed, 0);
}

void davfs_close_callbacks(void)
{
  atomic_store(&closed, 1);
}
