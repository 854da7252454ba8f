/* A stand-in for Python, which reads all that it is given. */

#include "fuzz.h"

#include <stdio.h>
#include <string.h>

int davfs_start_python(const char* python, char* reason, size_t size)
{
  snprintf(reason, size, "%s does not start", python);
  return below(4) ? 0 : -1;
}

int davfs_stop_python(int milliseconds)
{
  return milliseconds > 0;
}

static int answer(davfs_request* request)
{
  uint8_t unused;
  PROMISED(strlen(request->user) < sizeof(request->user));
  for (uint32_t i = 0; i < request->segments; i++)
  {
    touch(request->path[i], strlen(request->path[i]) + 1);
  }
  *(request->result ? request->result : &unused) = (uint8_t) below(2);
  return below(4) ? OrthancPluginErrorCode_Success : OrthancPluginErrorCode_BadRequest;
}

int davfs_is_folder(davfs_request* request)
{
  for (uint32_t i = below(3); i > 0; i--)
  {
    davfs_keep_response(request, 1, 0, copied("Dname\0date", 11), 11);
  }
  if (below(3) == 0)
  {
    davfs_keep_response(request, 0, (int) below(3), copied("Fname\0date\0" "99\0mime", 19), 19);
  }
  return answer(request);
}

int davfs_list_folder(davfs_request* request)
{
  davfs_add_entries(request, "Dname\0date", 11);
  return answer(request);
}

int davfs_read_file(davfs_request* request)
{
  davfs_send_file(request, "bytes", below(6), "application/dicom", "date");
  return answer(request);
}

int davfs_write_file(davfs_request* request)
{
  touch(request->data, request->size);
  return answer(request);
}

int davfs_make_folder(davfs_request* request)
{
  return answer(request);
}

int davfs_delete_item(davfs_request* request)
{
  return answer(request);
}
