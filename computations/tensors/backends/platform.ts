/** @file What differs by platform; in a package, `#backend` chooses between Node and web. */

export * from './platform.node.ts';
