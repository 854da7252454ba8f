/* The record of one request at Orthanc's port, from the request filter to its last callback.

   Orthanc calls filter and callbacks of a request on one thread, one after the other. A PROPFIND calls two of them: is there
   a folder of this path, and then for the folder's entries or the file. Python answers both at once; the record keeps the
   second response until Orthanc asks for it. */

#include "davfs.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local davfs_request current;
static _Thread_local davfs_uploader uploader;

davfs_request* davfs_this_request(void)
{
  return &current;
}

davfs_uploader* davfs_this_uploader(void)
{
  return &uploader;
}

void davfs_clear_request(davfs_request* request)
{
  free(request->response);
  memset(request, 0, sizeof(*request));
}

void davfs_keep_response(davfs_request* request, int is_folder, int code, const char* packed, size_t size)
{
  size_t length = 0;
  for (uint32_t i = 0; i < request->segments; i++)
  {
    length += strlen(request->path[i]) + 1;
  }
  davfs_response* made = malloc(sizeof(davfs_response) + size + length);
  free(request->response);
  request->response = made;
  if (made == NULL)
  {
    return;
  }
  *made = (davfs_response) {.is_folder = is_folder, .code = code, .size = size, .length = length};
  memcpy(made->bytes, packed, size);
  char* end = made->bytes + size;
  for (uint32_t i = 0; i < request->segments; i++)
  {
    end = stpcpy(end, request->path[i]) + 1;
  }
}

static int has_path(const davfs_response* response, const davfs_request* request)
{
  const char* segment = response->bytes + response->size;
  const char* end = segment + response->length;
  for (uint32_t i = 0; i < request->segments; i++)
  {
    if (segment == end || strcmp(segment, request->path[i]) != 0)
    {
      return 0;
    }
    segment += strlen(segment) + 1;
  }
  return segment == end;
}

davfs_response* davfs_take_response(davfs_request* request, int is_folder)
{
  davfs_response* kept = request->response;
  request->response = NULL;
  if (kept != NULL && kept->is_folder == is_folder && has_path(kept, request))
  {
    return kept;
  }
  free(kept);
  return NULL;
}
