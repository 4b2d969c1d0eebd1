/* vload: one-thread SIP + RTP (G.711u) load generator, caller (UAC) or answerer (UAS). Linux.
 * One UDP socket for SIP; one UDP socket per call for RTP, drained every 20 ms with kernel
 * receive timestamps, so arrival gaps do not depend on when this program runs.
 * No digest: the server must admit its address. About 0.1 core for 100 calls.
 *   vload -t HOST:PORT -u USER -n TOTAL -c MAXCONC -r CPS -d HOLD_S     caller
 *   vload -S -p PORT                                                    answerer (stop with SIGTERM)
 * "%d" in USER becomes call_index / GROUP (-g).  HOLD 0 = wait for the far end's BYE.
 * At random: -x LO:HI seconds until this side hangs up; -k SHARE:LO:HI of the callers give up after
 * so long without an answer; -a LO:HI seconds that an answerer rings; -b SHARE of calls it refuses.
 * -L prints a line for each call that has ended: "CALL {..}".  -f N: the first caller is +1555N.
 * Prints "STATE {..}" each second and one "RESULT {..}" at the end. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <math.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <arpa/inet.h>

enum { FREE, INVITED, RINGING, UP, BYEING, DONE };
typedef struct sockaddr_in SA;
struct call {
  int st, idx, fd, port, uas, acked, ok, code, slot, spos, apos, have_dst, remote_bye, early;
  unsigned inv_cseq, cseq;
  char cid[96], branch[24], ltag[16], rtag[96], target[200], route[600], from[220], to[220], *ok200;
  int ok200len; SA hop, rtp;
  double t_inv, t_18x, t_up, t_end, t_rt, rt;
  uint16_t seq; uint32_t ts, ssrc; int phase, marker;
  long tx, rx, lost, late, g40, g60, g100, loud, jumps; int have_seq; uint16_t rseq; uint32_t rssrc;
  double last_rx, first_rx, maxgap, jit, last_tr;
  double hold, t_cancel, t_ans; int cancelled; char *inv;
  struct call *hn;
};
static struct call *C; static int total = 1, conc = 1, group = 1, uas_mode, media = 1, stamp, verbose, maxpool;
static int nomedia_ok; static double rate = 10, hold = 10, answer_delay = 0, maxwait = 20, setup_to = 8;
static char *user = "100", *lip = "127.0.0.1", *extra = ""; static int lport = 0, rbase = 30000, rcount = 8000, silent = 0;
static double hold_lo = -1, hold_hi, cancel_p, cancel_lo, cancel_hi, ring_lo = -1, ring_hi, busy_p; static int list, first;
static SA target; static int sfd; static volatile int stopping;
static struct call *H[16384]; static int *slotv[20], slotn[20]; static int *act, actn;
static int *freeports, nfree; static uint8_t audio[8000];
static long started, nup, ok_n, fail_n, codes[700], inv_retx, tmo_setup, tmo_bye, no_media, ended;
static long offs[2001]; /* how far arrivals were from 20 ms apart, in tenths of a millisecond */
static double *setup_ms; static long nsetup; static float lat[1 << 20]; static long nlat;
static struct { long tx, rx, lost, late, g40, g60, g100, loud, calls, expect; double maxgap, jit, first; } A;

static double mono(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wall(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double rnd(double lo, double hi) { return lo + (hi - lo) * (random() / 2147483647.); }
static unsigned hash(const char *s) { unsigned h = 5381; while (*s) h = h * 33 ^ (uint8_t)*s++; return h & 16383; }
static struct call *find(const char *cid) { struct call *c = H[hash(cid)]; while (c && strcmp(c->cid, cid)) c = c->hn; return c; }
static void put(struct call *c) { unsigned h = hash(c->cid); c->hn = H[h]; H[h] = c; }
static void unput(struct call *c) { struct call **p = &H[hash(c->cid)]; while (*p && *p != c) p = &(*p)->hn; if (*p) *p = c->hn; }

/* header value (first occurrence, or the nth) */
static const char *hdrn(const char *m, const char *name, char compact, int n, int *len) {
  size_t nl = strlen(name); const char *p = strstr(m, "\r\n");
  while (p) { p += 2; if (p[0] == '\r' || !p[0]) return 0;
    const char *v = 0;
    if (!strncasecmp(p, name, nl) && (p[nl] == ':' || p[nl] == ' ')) { v = strchr(p, ':'); }
    else if (compact && (p[0] | 32) == compact && (p[1] == ':' || p[1] == ' ')) v = strchr(p, ':');
    const char *e = strstr(p, "\r\n"); if (!e) return 0;
    if (v && v < e && n-- == 0) { v++; while (*v == ' ') v++; *len = e - v; return v; }
    p = e; }
  return 0; }
static int hdr(const char *m, const char *name, char compact, char *out, int cap) {
  int l; const char *v = hdrn(m, name, compact, 0, &l); if (!v) { *out = 0; return 0; }
  if (l >= cap) l = cap - 1; memcpy(out, v, l); out[l] = 0; return 1; }
static void uri_addr(const char *s, SA *a) { /* host:port of the first sip: URI in s */
  const char *p = strstr(s, "sip:"); if (!p) return; p += 4; const char *e = p + strcspn(p, ">;? \r\n,");
  const char *at = memchr(p, '@', e - p); if (at) p = at + 1;
  char h[64]; int i = 0; while (p < e && *p != ':' && i < 63) h[i++] = *p++; h[i] = 0;
  int port = 5060; if (p < e && *p == ':') port = atoi(p + 1);
  SA t = { .sin_family = AF_INET, .sin_port = htons(port) }; if (inet_aton(h, &t.sin_addr)) *a = t; }
static void tagof(const char *s, char *out, int cap) { const char *p = strstr(s, ";tag="); int i = 0; *out = 0; if (!p) return; p += 5;
  while (*p && !strchr(";,> \r\n", *p) && i < cap - 1) out[i++] = *p++; out[i] = 0; }
static void sdp_in(struct call *c, const char *m) {
  const char *b = strstr(m, "\r\n\r\n"); if (!b) return; const char *mm = strstr(b, "m=audio "); if (!mm) return;
  const char *cc = strstr(b, "c=IN IP4 "); if (!cc) return;
  char ip[32]; int i = 0; cc += 9; while (i < 31 && (*cc == '.' || (*cc >= '0' && *cc <= '9'))) ip[i++] = *cc++; ip[i] = 0;
  c->rtp.sin_family = AF_INET; c->rtp.sin_port = htons(atoi(mm + 8)); if (inet_aton(ip, &c->rtp.sin_addr)) c->have_dst = 1; }
static int sdp_out(struct call *c, char *o) {
  return sprintf(o, "v=0\r\no=- %u 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n", c->ssrc, lip, lip, c->port); }
static void snd(const char *b, int n, SA *to) { if (verbose) fprintf(stderr, ">>> %.*s\n", n, b); sendto(sfd, b, n, 0, (void *)to, sizeof *to); }

static void give_back(int port) { memmove(freeports + 1, freeports, sizeof(int) * nfree); freeports[0] = port; nfree++; } /* the last to be taken again */
static int rtp_open(struct call *c) {
  for (int n = nfree; n > 0; n--) { int port = freeports[--nfree]; int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); if (fd < 0) return -1;
    SA a = { .sin_family = AF_INET, .sin_port = htons(port) }; inet_aton(lip, &a.sin_addr);
    if (bind(fd, (void *)&a, sizeof a)) { close(fd); give_back(port); continue; }
    int on = 1; setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on); c->fd = fd; c->port = port; return 0; }
  return -1; }
static void slot_add(struct call *c) { if (c->slot >= 0 || !media) return; c->slot = c->idx % 20; c->spos = slotn[c->slot]; slotv[c->slot][slotn[c->slot]++] = c->idx; }
static void slot_del(struct call *c) { if (c->slot < 0) return; int s = c->slot, l = slotv[s][--slotn[s]]; slotv[s][c->spos] = l; C[l].spos = c->spos; c->slot = -1; }

static void rx_one(struct call *c, uint8_t *b, int n, double t) {
  if (n < 12 || (b[0] & 0xc0) != 0x80 || (b[1] >= 200 && b[1] <= 207)) return;
  uint16_t q = b[2] << 8 | b[3]; uint32_t ts, ss; memcpy(&ts, b + 4, 4); ts = ntohl(ts); memcpy(&ss, b + 8, 4);
  if ((b[1] & 127) != 0) return;
  if (c->have_seq && ss != c->rssrc) c->have_seq = 0;
  if (c->have_seq) { int d = (int16_t)(q - c->rseq); if (d > 1000 || d < -1000) { c->jumps++; d = 1; } if (d <= 0) { c->late++; return; } c->lost += d - 1; }
  if (!c->rx) c->first_rx = t;
  double tr = t * 8000 - ts;
  if (c->rx && c->have_seq) { double g = t - c->last_rx; int o = fabs(g - .020) * 1e4; offs[o < 2000 ? o : 2000]++; if (g > c->maxgap) c->maxgap = g; if (g > .040) c->g40++; if (g > .060) c->g60++; if (g > .100) c->g100++;
    double d = fabs(tr - c->last_tr); if (d < 8000) c->jit += (d - c->jit) / 16; }
  c->last_tr = tr; c->last_rx = t; c->rseq = q; c->rssrc = ss; c->have_seq = 1; c->rx++;
  int k = 12, quiet = 1; for (; k < n; k += 7) if ((b[k] & 0x7f) < 0x78) { quiet = 0; break; } if (!quiet) c->loud++;
  if (n >= 28 && !memcmp(b + 12, "VLSTAMP1", 8) && nlat < (1 << 20)) { double s; memcpy(&s, b + 20, 8); lat[nlat++] = (t - s) * 1e3; } }
static void drain(struct call *c) {
  static uint8_t buf[16][400]; static char ctl[16][64]; struct mmsghdr mm[16]; struct iovec iv[16];
  for (;;) { for (int i = 0; i < 16; i++) { iv[i] = (struct iovec){ buf[i], 400 }; memset(&mm[i], 0, sizeof mm[i]); mm[i].msg_hdr.msg_iov = &iv[i]; mm[i].msg_hdr.msg_iovlen = 1; mm[i].msg_hdr.msg_control = ctl[i]; mm[i].msg_hdr.msg_controllen = 64; }
    int n = recvmmsg(c->fd, mm, 16, MSG_DONTWAIT, 0); if (n <= 0) return;
    for (int i = 0; i < n; i++) { double t = 0; struct cmsghdr *h = CMSG_FIRSTHDR(&mm[i].msg_hdr);
      if (h && h->cmsg_type == SCM_TIMESTAMPNS) { struct timespec ts; memcpy(&ts, CMSG_DATA(h), sizeof ts); t = ts.tv_sec + ts.tv_nsec * 1e-9; } else t = wall();
      rx_one(c, buf[i], mm[i].msg_len, t); }
    if (n < 16) return; } }
static void media_tick(struct call *c) {
  drain(c); if (!c->have_dst || c->st == BYEING) return;
  uint8_t p[172]; p[0] = 0x80; p[1] = c->marker ? 0x80 : 0; c->marker = 0; p[2] = c->seq >> 8; p[3] = c->seq; c->seq++;
  uint32_t ts = htonl(c->ts); memcpy(p + 4, &ts, 4); c->ts += 160; memcpy(p + 8, &c->ssrc, 4);
  if (silent) memset(p + 12, 0xff, 160); else { memcpy(p + 12, audio + c->phase, 160); c->phase = (c->phase + 160) % 8000; }
  if (stamp) { double w = wall(); memcpy(p + 12, "VLSTAMP1", 8); memcpy(p + 20, &w, 8); }
  sendto(c->fd, p, 172, 0, (void *)&c->rtp, sizeof c->rtp); c->tx++; }

static void user_of(const char *s, char *out, int cap) { const char *p = strstr(s, "sip:"); int i = 0; if (p) for (p += 4; *p && !strchr("@>;: ", *p) && i < cap - 1;) out[i++] = *p++; out[i] = 0; }
static void list_call(const char *from, const char *to, int up, int remote, int code) { char f[100], u[100]; if (!list) return; user_of(from, f, 100); user_of(to, u, 100);
  printf("CALL {\"from\":\"%s\",\"to\":\"%s\",\"up\":%d,\"far_end\":%d,\"code\":%d}\n", f, u, up, remote, code); }
static void finish(struct call *c, int ok, int code) {
  if (c->st == DONE || c->st == FREE) return;
  if (c->fd >= 0) drain(c); slot_del(c);
  if (c->st == UP || c->st == BYEING) nup--;
  if (c->uas) list_call(c->to, c->from, c->t_up > 0, c->remote_bye, code); else list_call(c->from, c->to, c->t_up > 0, c->remote_bye, code);
  double dur = c->t_up ? mono() - c->t_up : 0;
  if (ok && media && dur > 0.5 && c->rx == 0 && !uas_mode && !nomedia_ok) { no_media++; ok = 0; }
  if (ok) ok_n++; else fail_n++; if (code > 0 && code < 700) codes[code]++;
  if (c->t_up) { A.calls++; A.tx += c->tx; A.rx += c->rx; A.lost += c->lost; A.late += c->late; A.g40 += c->g40; A.g60 += c->g60; A.g100 += c->g100; A.loud += c->loud; if (c->maxgap > A.maxgap) A.maxgap = c->maxgap; A.jit += c->jit / 8; }
  if (c->fd >= 0) { close(c->fd); give_back(c->port); c->fd = -1; }
  act[c->apos] = act[--actn]; C[act[c->apos]].apos = c->apos; ended++;
  free(c->ok200); c->ok200 = 0; free(c->inv); c->inv = 0; c->st = DONE; if (uas_mode) { unput(c); } c->t_end = mono(); }
static void request(struct call *c, const char *meth, unsigned cseq, const char *branch, const char *sdp, int sdplen) {
  char b[4096]; const char *ruri = c->target; int n = sprintf(b,
    "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n%s%sFrom: %s;tag=%s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n",
    meth, ruri, lip, lport, branch, c->route, *c->route ? "\r\n" : "", c->from, c->ltag, c->to, *c->rtag ? ";tag=" : "", c->rtag, c->cid, cseq, meth);
  if (*meth == 'I') n += sprintf(b + n, "Contact: <sip:vload@%s:%d>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n%s", lip, lport, extra);
  if (sdp) n += sprintf(b + n, "Content-Type: application/sdp\r\n");
  n += sprintf(b + n, "Content-Length: %d\r\n\r\n", sdplen); if (sdp) { memcpy(b + n, sdp, sdplen); n += sdplen; }
  snd(b, n, &c->hop); }
static void send_invite(struct call *c) { char s[600]; int n = sdp_out(c, s); request(c, "INVITE", c->inv_cseq, c->branch, s, n); }
static void send_bye(struct call *c) { char br[32]; sprintf(br, "%sb", c->branch); request(c, "BYE", c->cseq, br, 0, 0); }
static int reply(struct call *c, const char *m, int code, const char *reason, SA *to, int sdp, char *out) {
  char b[6000], v[700]; int n = sprintf(b, "SIP/2.0 %d %s\r\n", code, reason), l; const char *p;
  for (int i = 0; (p = hdrn(m, "Via", 'v', i, &l)); i++) n += sprintf(b + n, "Via: %.*s\r\n", l, p);
  for (int i = 0; (p = hdrn(m, "Record-Route", 0, i, &l)); i++) n += sprintf(b + n, "Record-Route: %.*s\r\n", l, p);
  hdr(m, "From", 'f', v, 700); n += sprintf(b + n, "From: %s\r\n", v);
  hdr(m, "To", 't', v, 700); n += sprintf(b + n, "To: %s%s%s\r\n", v, !strstr(v, ";tag=") && code > 100 ? ";tag=" : "", !strstr(v, ";tag=") && code > 100 ? (c ? c->ltag : "x") : "");
  hdr(m, "Call-ID", 'i', v, 700); n += sprintf(b + n, "Call-ID: %s\r\n", v);
  hdr(m, "CSeq", 0, v, 700); n += sprintf(b + n, "CSeq: %s\r\n", v);
  if (code >= 180 && code < 300) n += sprintf(b + n, "Contact: <sip:vload@%s:%d>\r\n", lip, lport);
  if (sdp) { char s[600]; int sl = sdp_out(c, s); n += sprintf(b + n, "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", sl, s); }
  else n += sprintf(b + n, "Content-Length: 0\r\n\r\n");
  if (out) memcpy(out, b, n); snd(b, n, to); return n; }
static void go_up(struct call *c, double now) { c->st = UP; c->hold = c->cancelled ? .01 : hold_lo >= 0 ? rnd(hold_lo, hold_hi) : hold; nup++; c->t_up = now; c->marker = 1; slot_add(c); if (media) media_tick(c); }

static struct call *newcall(int i, double now) {
  struct call *c = &C[i]; memset(c, 0, sizeof *c); c->idx = i; c->fd = -1; c->slot = -1; if (media && rtp_open(c)) { fprintf(stderr, "no rtp port: %s\n", strerror(errno)); return 0; }
  if (!media) c->port = rbase; c->ssrc = random(); c->seq = random(); c->ts = random(); c->phase = (i * 1600) % 8000; c->t_inv = now; sprintf(c->ltag, "%08lx", random()); c->apos = actn; act[actn++] = i; return c; }
static void new_uac(int i, double now) {
  struct call *c = newcall(i, now); if (!c) { fail_n++; ended++; started++; return; }
  char u[100]; char *q = strstr(user, "%d"); if (q) sprintf(u, "%.*s%d%s", (int)(q - user), user, i / group, q + 2); else snprintf(u, 100, "%s", user);
  sprintf(c->cid, "v%d.%08lx@%s", i, random(), lip); sprintf(c->branch, "%08lx%x", random(), i); c->inv_cseq = 1; c->cseq = 2;
  sprintf(c->from, "<sip:+1555%07d@%s>", (first + i) % 10000000, lip); sprintf(c->to, "<sip:%s@%s:%d>", u, inet_ntoa(target.sin_addr), ntohs(target.sin_port));
  sprintf(c->target, "sip:%s@%s:%d", u, inet_ntoa(target.sin_addr), ntohs(target.sin_port)); c->hop = target; c->st = INVITED; c->rt = .5; c->t_rt = now + .5; put(c); started++;
  if (rnd(0, 1) < cancel_p) c->t_cancel = now + rnd(cancel_lo, cancel_hi);
  send_invite(c); }

static void on_response(char *m, int code, double now) {
  char cid[96], cs[64], v[700]; hdr(m, "Call-ID", 'i', cid, 96); struct call *c = find(cid); if (!c) return; hdr(m, "CSeq", 0, cs, 64);
  int inv = !!strstr(cs, "INVITE"); hdr(m, "To", 't', v, 700);
  if (inv) {
    if (code < 200) { c->early = 1; if (code >= 180 && !c->t_18x) c->t_18x = now; return; }
    if (code < 300) {
      if (c->st == INVITED) { tagof(v, c->rtag, 96); int l; const char *p; 
        if (hdr(m, "Contact", 'm', v, 700)) { char *a = strchr(v, '<'); a = a ? a + 1 : v; snprintf(c->target, 200, "%.*s", (int)strcspn(a, ">"), a); }
        c->route[0] = 0; int k = 0, cnt = 0; while (hdrn(m, "Record-Route", 0, cnt, &l)) cnt++;
        while (cnt-- > 0) { p = hdrn(m, "Record-Route", 0, cnt, &l); if (k + l + 12 < 600) k += sprintf(c->route + k, "%s%.*s", k ? "\r\nRoute: " : "Route: ", l, p); }
        uri_addr(c->route[0] ? c->route : c->target, &c->hop); sdp_in(c, m);
        setup_ms[nsetup++] = (now - c->t_inv) * 1e3; request(c, "ACK", c->inv_cseq, "ack0", 0, 0); go_up(c, now); }
      else if (c->st == UP || c->st == BYEING) request(c, "ACK", c->inv_cseq, "ack0", 0, 0); 
      return; }
    char save[96]; strcpy(save, c->rtag); tagof(v, c->rtag, 96); request(c, "ACK", c->inv_cseq, c->branch, 0, 0); strcpy(c->rtag, save);
    if (c->st == INVITED) finish(c, 0, code); return; }
  if (strstr(cs, "BYE") && code >= 200 && c->st == BYEING) finish(c, c->ok, code == 200 ? 200 : code); }
static void pick_up(struct call *c, char *m, SA *to, double now) {
  c->ok200 = malloc(6000); c->ok200len = reply(c, m, 200, "OK", to, 1, c->ok200); c->rt = .5; c->t_rt = now + .5; c->early = 0; go_up(c, now); }
static void on_request(char *m, SA *from, double now) {
  char cid[96]; hdr(m, "Call-ID", 'i', cid, 96); struct call *c = find(cid);
  if (!strncmp(m, "ACK ", 4)) { if (c && c->uas && !c->acked) { c->acked = 1; c->t_rt = 1e18; } return; }
  if (!strncmp(m, "BYE ", 4)) { reply(c, m, 200, "OK", from, 0, 0); if (c && (c->st == UP || c->st == BYEING)) { c->remote_bye = 1; finish(c, 1, 200); } return; }
  if (!strncmp(m, "CANCEL ", 7)) { reply(c, m, 200, "OK", from, 0, 0); if (c && c->st == RINGING) { reply(c, c->inv, 487, "Request Terminated", from, 0, 0); finish(c, 0, 487); } else if (c && c->st != UP) finish(c, 0, 487); return; }
  if (!strncmp(m, "INVITE ", 7)) {
    if (c) { if (c->uas && !c->acked && c->ok200 && c->st == UP) { snd(c->ok200, c->ok200len, from); return; } if (c->st == UP) { sdp_in(c, m); reply(c, m, 200, "OK", from, 1, 0); } return; }
    if (!uas_mode || rnd(0, 1) < busy_p) { char f[700], to[700]; hdr(m, "From", 'f', f, 700); hdr(m, "To", 't', to, 700); list_call(f, to, 0, 0, 486); reply(0, m, 486, "Busy", from, 0, 0); return; }
    int i = -1; static int next; for (int k = 0; k < maxpool; k++) { int j = (next + k) % maxpool; if (C[j].st == FREE || (C[j].st == DONE && now - C[j].t_end > 1)) { i = j; next = j + 1; break; } }
    if (i < 0 || !(c = newcall(i, now))) { reply(0, m, 503, "Full", from, 0, 0); return; }
    char v[700]; int l; const char *p; strcpy(c->cid, cid); c->uas = 1; hdr(m, "From", 'f', v, 700); tagof(v, c->rtag, 96); char *sc = strstr(v, ";tag="); if (sc) *sc = 0; snprintf(c->to, 220, "%s", v);
    hdr(m, "To", 't', v, 700); snprintf(c->from, 220, "%s", v); hdr(m, "Contact", 'm', v, 700); char *a = strchr(v, '<'); a = a ? a + 1 : v; snprintf(c->target, 200, "%.*s", (int)strcspn(a, ">"), a);
    int k = 0; for (int q = 0; (p = hdrn(m, "Record-Route", 0, q, &l)); q++) if (k + l + 12 < 600) k += sprintf(c->route + k, "%s%.*s", k ? "\r\nRoute: " : "Route: ", l, p);
    c->hop = *from; uri_addr(c->route[0] ? c->route : c->target, &c->hop); sprintf(c->branch, "%08lx%x", random(), i); c->cseq = 1; put(c); started++; sdp_in(c, m); c->t_rt = 1e18;
    reply(c, m, 180, "Ringing", from, 0, 0); if (ring_lo >= 0) { c->st = RINGING; c->inv = strdup(m); c->t_ans = now + rnd(ring_lo, ring_hi); return; }
    pick_up(c, m, from, now); return; }
  reply(c, m, 200, "OK", from, 0, 0); }
static void scan(double now) {
  for (int k = actn - 1; k >= 0; k--) { struct call *c = &C[act[k]];
    if (c->st == RINGING) { SA to = c->hop; if (stopping) { reply(c, c->inv, 486, "Busy", &to, 0, 0); finish(c, 0, 486); } else if (now > c->t_ans) pick_up(c, c->inv, &to, now); continue; }
    if (c->st == INVITED) {
      if (c->early && ((c->t_cancel && now > c->t_cancel) || stopping) && (!c->cancelled || now > c->t_rt)) { c->cancelled = 1; c->t_rt = now + .5; request(c, "CANCEL", c->inv_cseq, c->branch, 0, 0); }
      if (now - c->t_inv > setup_to) { tmo_setup++; finish(c, 0, 408); continue; }
      if (!c->early && now > c->t_rt) { inv_retx++; c->rt *= 2; c->t_rt = now + c->rt; send_invite(c); } }
    else if (c->st == UP) {
      if (c->uas && !c->acked && now > c->t_rt) { if (c->rt > 8) { finish(c, 0, 408); continue; } c->rt *= 2; c->t_rt = now + (c->rt > 4 ? 4 : c->rt); SA to = c->hop; snd(c->ok200, c->ok200len, &to); }
      int end = 0, ok = 1; if (!uas_mode) { if (c->hold > 0 && now - c->t_up >= c->hold) end = 1; else if (c->hold == 0 && now - c->t_up > maxwait) { end = 1; ok = 0; } } else if (c->hold > 0 && now - c->t_up >= c->hold) end = 1;
      if (stopping) end = 1;
      if (end) { if (media) drain(c); c->st = BYEING; c->ok = ok; c->t_end = now; c->rt = .5; c->t_rt = now + .5; send_bye(c); } }
    else if (c->st == BYEING) { if (now - c->t_end > 8) { tmo_bye++; finish(c, 0, 408); } else if (now > c->t_rt) { c->rt *= 2; c->t_rt = now + c->rt; send_bye(c); } } } }
static int cmpd(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
static int cmpf(const void *a, const void *b) { float x = *(float *)a, y = *(float *)b; return x < y ? -1 : x > y; }
static double pct(double *v, long n, double p) { return n ? v[(long)(p * (n - 1))] : 0; }
static double offpct(double p) { long n = 0, k = 0; int i; for (i = 0; i <= 2000; i++) n += offs[i]; for (i = 0; i < 2000 && (k += offs[i]) < p * n; i++); return i / 10.; }
static void onsig(int s) { (void)s; stopping = 1; }
static uint8_t ulaw(int s) { int sign = 0, e = 7, m; if (s < 0) { sign = 0x80; s = -s; } s += 132; if (s > 32767) s = 32767; for (int k = 0x4000; e > 0 && !(s & k); k >>= 1) e--; m = (s >> (e + 3)) & 15; return ~(sign | e << 4 | m); }

int main(int ac, char **av) {
  int o; while ((o = getopt(ac, av, "t:u:n:c:r:d:l:p:R:P:g:H:w:s:x:k:a:b:f:SLMNqTv")) != -1) switch (o) {
    case 't': { char *h = strdup(optarg), *q = strchr(h, ':'); target.sin_family = AF_INET; target.sin_port = htons(q ? atoi(q + 1) : 5060); if (q) *q = 0; if (!inet_aton(h, &target.sin_addr)) { fprintf(stderr, "need an IPv4 address\n"); return 2; } } break;
    case 'u': user = optarg; break; case 'n': total = atoi(optarg); break; case 'c': conc = atoi(optarg); break; case 'r': rate = atof(optarg); break; case 'd': hold = atof(optarg); break;
    case 'l': lip = optarg; break; case 'p': lport = atoi(optarg); break; case 'R': rbase = atoi(optarg); break; case 'P': rcount = atoi(optarg); break; case 'g': group = atoi(optarg); break;
    case 'H': { char *x = malloc(strlen(optarg) + 3); sprintf(x, "%s\r\n", optarg); extra = x; } break; case 'w': maxwait = atof(optarg); break; case 's': setup_to = atof(optarg); break;
    case 'x': sscanf(optarg, "%lf:%lf", &hold_lo, &hold_hi); break; case 'k': sscanf(optarg, "%lf:%lf:%lf", &cancel_p, &cancel_lo, &cancel_hi); break;
    case 'a': sscanf(optarg, "%lf:%lf", &ring_lo, &ring_hi); break; case 'b': busy_p = atof(optarg); break; case 'L': list = 1; break; case 'f': first = atoi(optarg); break;
    case 'S': uas_mode = 1; hold = 0; break; case 'M': media = 0; break; case 'q': silent = 1; break; case 'N': nomedia_ok = 1; break; case 'T': stamp = 1; break; case 'v': verbose = 1; break; default: return 2; }
  maxpool = uas_mode ? (total > 1 ? total : 2000) : total; C = calloc(maxpool, sizeof *C); act = calloc(maxpool + 1, sizeof(int)); for (int i = 0; i < 20; i++) slotv[i] = calloc(maxpool + 1, sizeof(int));
  setup_ms = calloc(maxpool + 1, sizeof(double)); freeports = calloc(rcount + 1, sizeof(int)); for (int p = rbase + rcount - 2; p >= rbase; p -= 2) freeports[nfree++] = p;
  for (int i = 0; i < 8000; i++) { double t = i / 8000., e = .5 + .5 * sin(2 * M_PI * 4 * t); audio[i] = ulaw((int)(e * (6000 * sin(2 * M_PI * 300 * t) + 3000 * sin(2 * M_PI * 1100 * t)))); }
  struct rlimit rl = { 65536, 65536 }; if (setrlimit(RLIMIT_NOFILE, &rl)) { getrlimit(RLIMIT_NOFILE, &rl); rl.rlim_cur = rl.rlim_max; setrlimit(RLIMIT_NOFILE, &rl); }
  signal(SIGTERM, onsig); signal(SIGINT, onsig); signal(SIGPIPE, SIG_IGN); struct timespec born; clock_gettime(CLOCK_REALTIME, &born); srandom(born.tv_nsec); /* two runs with the same Call-IDs would be one to the server */
  sfd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); int big = 4 << 20; setsockopt(sfd, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
  SA a = { .sin_family = AF_INET, .sin_port = htons(lport) }; inet_aton(lip, &a.sin_addr); if (bind(sfd, (void *)&a, sizeof a)) { perror("bind"); return 1; } socklen_t sl = sizeof a; getsockname(sfd, (void *)&a, &sl); lport = ntohs(a.sin_port);
  static char buf[65536]; double t0 = mono(), tscan = 0, tstat = t0 + 1, next = t0, tdrain = 0; long tick = (long)(t0 * 1000); long late_ticks = 0;
  for (;;) { double now = mono();
    if (!uas_mode) { while (!stopping && started < total && actn < conc && now >= next) { new_uac(started, now); next += 1 / rate; if (next < now - .2) next = now; } if (started < total && actn >= conc && next < now) next = now;
      if ((started >= total || stopping) && actn == 0) { if (!tdrain) tdrain = now + .3; else if (now > tdrain) break; } }
    else if (stopping && (actn == 0 || now - t0 > 1e9)) break;
    long nt = (long)(now * 1000); if (nt - tick > 20) late_ticks++; while (tick < nt) { tick++; int s = tick % 20; for (int k = 0; k < slotn[s]; k++) media_tick(&C[slotv[s][k]]); }
    if (now - tscan > .01) { scan(now); tscan = now; }
    if (now > tstat) { printf("STATE {\"t\":%.1f,\"started\":%ld,\"up\":%ld,\"ended\":%ld,\"fail\":%ld}\n", now - t0, started, nup, ended, fail_n); fflush(stdout); tstat += 1; }
    struct pollfd pf = { sfd, POLLIN, 0 }; if (poll(&pf, 1, 1) > 0) for (int k = 0; k < 64; k++) { SA f; socklen_t fl = sizeof f; int n = recvfrom(sfd, buf, sizeof buf - 1, 0, (void *)&f, &fl); if (n <= 0) break; buf[n] = 0; if (n < 12) continue; if (verbose) fprintf(stderr, "<<< %s\n", buf);
      if (!strncmp(buf, "SIP/2.0 ", 8)) on_response(buf, atoi(buf + 8), mono()); else on_request(buf, &f, mono()); } }
  qsort(setup_ms, nsetup, sizeof(double), cmpd); qsort(lat, nlat, sizeof(float), cmpf); struct rusage ru; getrusage(RUSAGE_SELF, &ru);
  printf("RESULT {\"calls\":%ld,\"ok\":%ld,\"fail\":%ld,\"no_media\":%ld,\"setup_timeouts\":%ld,\"bye_timeouts\":%ld,\"inv_retx\":%ld,\"secs\":%.2f,\"setup_ms\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f},"
    "\"rtp\":{\"tx\":%ld,\"rx\":%ld,\"lost\":%ld,\"late\":%ld,\"loud\":%ld,\"gaps40\":%ld,\"gaps60\":%ld,\"gaps100\":%ld,\"maxgap_ms\":%.1f,\"jitter_ms\":%.2f,\"off20_ms\":{\"p50\":%.1f,\"p99\":%.1f}},\"late_ticks\":%ld,",
    started, ok_n, fail_n, no_media, tmo_setup, tmo_bye, inv_retx, mono() - t0, pct(setup_ms, nsetup, .5), pct(setup_ms, nsetup, .95), pct(setup_ms, nsetup, .99), pct(setup_ms, nsetup, 1), A.tx, A.rx, A.lost, A.late, A.loud, A.g40, A.g60, A.g100, A.maxgap * 1e3, A.calls ? A.jit / A.calls : 0, offpct(.5), offpct(.99), late_ticks);
  if (nlat) printf("\"oneway_ms\":{\"n\":%ld,\"p50\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"max\":%.2f},", nlat, lat[nlat / 2], lat[(long)(.95 * nlat)], lat[(long)(.99 * nlat)], lat[nlat - 1]);
  printf("\"codes\":{"); int first = 1; for (int i = 0; i < 700; i++) if (codes[i]) { printf("%s\"%d\":%ld", first ? "" : ",", i, codes[i]); first = 0; }
  printf("},\"gen_cpu_s\":%.2f}\n", ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6); return 0; }
