/* Which Chorus this is: of the programs, the module and the packages. */

#ifndef CHORUS_RELEASE_H
#define CHORUS_RELEASE_H

#ifndef CHORUS_VERSION
#define CHORUS_VERSION  "0.1.0"
#endif


#endif
